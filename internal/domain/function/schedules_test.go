package function_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/function"
)

func TestFunction_Schedules(t *testing.T) {
	t.Parallel()
	f := function.Function{Triggers: []function.Trigger{{Event: "a"}, {Cron: "1 * * * *", Jitter: "1s"}, {Cron: "0 * * * *"}, {Cron: "1 * * * *"}}}
	if diff := cmp.Diff([]string{"1 * * * *", "0 * * * *"}, f.Schedules()); diff != "" {
		t.Error(diff)
	}
}
