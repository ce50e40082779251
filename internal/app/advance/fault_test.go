package advance_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ingothq/ingot/internal/app/advance"
)

func TestFault_CatchesBugsAndNothingElse(t *testing.T) {
	t.Parallel()
	guarded := func(work func() error) (err error) {
		defer func() { err = advance.Fault(recover(), err) }()
		return work()
	}
	wrong := errors.New("wrong")
	if err := guarded(func() error { return wrong }); !errors.Is(err, wrong) {
		t.Errorf("got %v", err)
	}
	var none map[string]int
	if err := guarded(func() error { none["x"] = 1; return nil }); err == nil || !strings.Contains(err.Error(), "bug: assignment to entry in nil map") {
		t.Errorf("got %v", err)
	}
	defer func() {
		if reason := recover(); reason != "mine" {
			t.Errorf("got %v", reason)
		}
	}()
	_ = guarded(func() error { panic("mine") })
}
