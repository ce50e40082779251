package execute

import (
	"testing"

	"github.com/ingothq/ingot/internal/domain/run"
)

// TestDo_TellsOfWaitsOnceTheyAreStored: an event that came before found none. Spec 08, weakness 13.
func TestDo_TellsOfWaitsOnceTheyAreStored(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.app.answers = []answer{says(206, `[{"op":"WaitForEvent","id":"w","opts":{"event":"go","timeout":"1h"}},{"op":"StepPlanned","id":"a"}]`), says(500, `{}`)}
	id := w.start()
	w.waits.then = func() {
		if state, err := w.backend.Load(t.Context(), id); err != nil || len(state.Pauses) != 1 {
			t.Errorf("told of it before it is stored: %+v, %v", state.Pauses, err)
		}
	}
	x := w.executor()
	x.Do(t.Context(), w.lease())
	if told := w.waits.began[id]; len(told) != 1 || told[0].Kind != run.PauseEvent || told[0].Event != "go" {
		t.Errorf("told of %+v", told)
	}
	x.Do(t.Context(), w.lease())
	if len(w.waits.began[id]) != 1 {
		t.Error("told again without a new wait")
	}
}
