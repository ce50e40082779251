package run

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStanding_Skip(t *testing.T) {
	t.Parallel()
	if got := (Standing{}).Skip(); got != NotSkipped {
		t.Errorf("skips for %q", got)
	}
	if got := (Standing{Paused: true}).Skip(); got != FunctionPaused {
		t.Errorf("a paused function skips for %q", got)
	}
}

func TestSkip(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	want := Finish{Status: Skipped, Output: []byte(`{"skipReason":"FunctionPaused"}`), At: at}
	if diff := cmp.Diff(want, Skip(FunctionPaused, at)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestSkipReason_Sentence(t *testing.T) {
	t.Parallel()
	if text := FunctionPaused.Sentence(); !strings.Contains(text, "the function is paused") {
		t.Error(text)
	}
	if text := SkipReason("Other").Sentence(); !strings.HasSuffix(text, "not started: Other") {
		t.Error(text)
	}
}
