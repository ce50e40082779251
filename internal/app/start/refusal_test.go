package start_test

import (
	"errors"
	"testing"

	"github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/ports"
)

func TestRefusal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		result flow.Result
		paused bool
		want   error
	}{
		{flow.Started, false, nil},
		{flow.Duplicate, true, nil},
		{flow.RateLimited, true, start.ErrRateLimited},
		{flow.IntoDebounce, true, start.ErrDebounced},
		{flow.Skipped, true, start.ErrPaused},
		{flow.Skipped, false, start.ErrSingleton},
	} {
		if err := start.Refusal(ports.NewRun{Paused: c.paused}, ports.Scheduled{Result: c.result}); !errors.Is(err, c.want) {
			t.Errorf("%s, paused %t: %v, want %v", c.result, c.paused, err, c.want)
		}
	}
}
