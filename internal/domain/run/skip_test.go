package run

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/flow"
)

func TestStanding_Skip(t *testing.T) {
	t.Parallel()
	if got := (Standing{}).Skip(); got != flow.NotSkipped {
		t.Errorf("skips for %q", got)
	}
	if got := (Standing{Paused: true}).Skip(); got != flow.SkippedByPause {
		t.Errorf("a paused function skips for %q", got)
	}
}

func TestSkip(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	want := Finish{Status: Skipped, Output: []byte(`{"skipReason":"FunctionPaused"}`), At: at}
	if diff := cmp.Diff(want, Skip(flow.SkippedByPause, at)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
