package registry

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
)

// shut is a catalog that nobody may read any more.
type shut struct{ ports.Catalog }

func (shut) Functions(context.Context) ([]function.Function, error) { return nil, errors.New("shut") }

func (shut) Function(context.Context, uuid.UUID) (function.Function, error) {
	return function.Function{}, errors.New("shut")
}

// TestMatch_DoesNotGrowWithTheFunctions: an event and an invocation find their functions without the catalog, and with the same work
// among ten functions as among five thousand. Spec 02 §22 #16, spec 12 W2, W3.
func TestMatch_DoesNotGrowWithTheFunctions(t *testing.T) { //nolint:paralleltest // allocations can only be counted alone
	work := map[int]float64{}
	for _, count := range []int{10, 5000} {
		w := setup()
		functions := []function.Function{aFunction("wanted", "user/created if event.data.n == 1")}
		for n := range count {
			functions = append(functions, aFunction(fmt.Sprint("fn-", n), fmt.Sprintf("other/%d if event.data.n == %d", n, n)))
		}
		w.sync(t, putting(functions...))
		w.catalog = shut{w.backend}
		e := anEvent("user/created", `{"n":1}`)
		work[count] = testing.AllocsPerRun(100, func() {
			if found := w.Match(e, now); len(found) != 1 || found[0].Err != nil {
				t.Errorf("found %v", found)
			}
			if _, ok := w.Find("app-wanted"); !ok {
				t.Error("an invocation does not find its function")
			}
		})
		if fn, err := w.Function(t.Context(), functions[0].ID); err != nil || fn.Slug != "app-wanted" {
			t.Errorf("a job does not find its function: %v", err)
		}
	}
	if work[10] != work[5000] {
		t.Errorf("%v allocations among ten functions, %v among five thousand", work[10], work[5000])
	}
}
