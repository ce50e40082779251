package embedded

import (
	"time"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/expr"
)

// maxFiled bounds the text of a condition that is filed, in bytes. Filing compiles it, on the writer's goroutine, where
// everybody waits for it; a text of this size takes about 3 ms. The pause of a longer one is a candidate for every event of
// the name, and who asks for candidates evaluates it.
const maxFiled = 4096

// pastConditions bounds the compiled conditions that are kept although no pause has them any more. Functions whose runs do
// not overlap would else have theirs compiled for every run. Conditions that differ in literals only count as one.
const pastConditions = 256

// conditions are the pauses for one name of an event, filed by what their conditions demand of it, so that an event finds
// the few that it may end among many.
type conditions struct {
	// always are those without a condition, and those whose condition is too long to be filed.
	always map[*waiting]struct{}
	index  *expr.Index[*waiting]
}

// newConditions is without conditions. past, which all of them share, has what was compiled before.
func newConditions(past *expr.Cache) conditions {
	return conditions{always: map[*waiting]struct{}{}, index: expr.NewSharedIndex[*waiting](past)}
}

func (c *conditions) add(w *waiting, expression string) {
	if expression == "" || len(expression) > maxFiled {
		c.always[w] = struct{}{}
		return
	}
	// A condition that does not compile is met by no event, so it is a candidate for none.
	_ = c.index.Add(w, expression)
}

func (c *conditions) remove(w *waiting) {
	delete(c.always, w)
	c.index.Remove(w)
}

// candidates are the pauses that the event may end, in no order.
func (c *conditions) candidates(e event.Event) []*waiting {
	found := c.index.Candidates(expr.NewSubject(e, time.Time{})) // nothing is evaluated, so the time does not matter
	for w := range c.always {
		found = append(found, w)
	}
	return found
}
