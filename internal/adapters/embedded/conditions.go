package embedded

import (
	"time"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/expr"
)

// conditions are the pauses for one name of an event, filed by what their conditions demand of it, so that an event finds
// the few that it may end among many.
type conditions struct {
	// always are those without a condition.
	always map[*waiting]struct{}
	index  *expr.Index[*waiting]
}

func newConditions() conditions {
	return conditions{always: map[*waiting]struct{}{}, index: expr.NewIndex[*waiting]()}
}

func (c *conditions) add(w *waiting, expression string) {
	if expression == "" {
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
