package execute

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
)

// TestDo_TellsWhereTheTimeOfACallWent has what the queue and the worker know of a call in the run's history.
func TestDo_TellsWhereTheTimeOfACallWent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limited bool
		want    string
	}{
		"late":                 {false, `"_inngest.ingot.timing":[3000,20,5]`},
		"kept back by a limit": {true, `"_inngest.ingot.timing":[0,20,5,0,0,0,3000]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := setup(t)
				w.app.answers = []answer{func(context.Context, ports.Call) (sdk.Response, error) {
					response := reply(200, `1`)
					response.Timing = sdk.Timing{Total: 20 * time.Millisecond, Transfer: 5 * time.Millisecond}
					return response, nil
				}}
				id := w.start()
				time.Sleep(3 * time.Second)
				lease := w.lease()
				lease.Limited = c.limited
				w.executor().Do(t.Context(), lease)
				rows, err := w.backend.History().Spans(t.Context(), id)
				if err != nil || len(rows) != 1 || !strings.Contains(string(rows[0].Attributes), c.want) {
					t.Errorf("history is %+v, %v", rows, err)
				}
			})
		})
	}
}
