package execute

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/run"
)

func TestOverrides(t *testing.T) {
	t.Parallel()
	one, other := uuid.UUID{1}, uuid.UUID{2}
	limited := func(steps, bytes int) run.Limits {
		limits := run.DefaultLimits
		limits.Steps, limits.StateBytes = steps, bytes
		return limits
	}
	var o Overrides
	if diff := cmp.Diff(run.DefaultLimits, o.Limits(one)); diff != "" {
		t.Errorf("without overrides -want +got:\n%s", diff)
	}
	if o.DropSteps(one) || o.DropState(one) {
		t.Error("dropped a limit that was not set")
	}
	o.SetSteps(one, 3)
	o.SetState(one, 100)
	if diff := cmp.Diff(limited(3, 100), o.Limits(one)); diff != "" {
		t.Errorf("with both -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(run.DefaultLimits, o.Limits(other)); diff != "" {
		t.Errorf("of another function -want +got:\n%s", diff)
	}
	if !o.DropSteps(one) || o.DropSteps(one) {
		t.Error("dropping the limit of steps reports the wrong thing")
	}
	if diff := cmp.Diff(limited(run.DefaultLimits.Steps, 100), o.Limits(one)); diff != "" {
		t.Errorf("without the limit of steps -want +got:\n%s", diff)
	}
	if !o.DropState(one) {
		t.Error("the limit of bytes was not there")
	}
}

func TestOverrides_AreSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	var o Overrides
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() {
			id := uuid.UUID{byte(n % 2)}
			o.SetSteps(id, n)
			o.SetState(id, n)
			o.Limits(id)
			o.DropSteps(id)
			o.DropState(id)
		})
	}
	group.Wait()
}

func TestDo_AppliesOverrides(t *testing.T) {
	t.Parallel()
	w := setup(t)
	limits := &Overrides{}
	limits.SetSteps(aFunction().ID, 1)
	w.deps.Limits = limits.Limits
	w.app.answers = []answer{says(206, `[{"op":"StepRun","id":"a","data":1}]`)}
	id := w.start()
	x := w.executor()
	x.Do(t.Context(), w.lease())
	x.Do(t.Context(), w.lease())
	record := w.record(id)
	if record.Status != run.Failed || !strings.Contains(string(record.Output), "InngestErrFunctionOverflowed") || w.app.count() != 1 {
		t.Errorf("run is %s with %s after %d calls", record.Status, record.Output, w.app.count())
	}
}
