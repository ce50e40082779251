package embedded

import "github.com/ingothq/ingot/internal/domain/event"

// conditions are the pauses for one name of an event.
type conditions struct {
	all map[*waiting]struct{}
}

func newConditions() conditions {
	return conditions{all: map[*waiting]struct{}{}}
}

func (c *conditions) add(w *waiting, _ string) { c.all[w] = struct{}{} }

func (c *conditions) remove(w *waiting) { delete(c.all, w) }

// candidates are the pauses that the event may end, in no order.
func (c *conditions) candidates(event.Event) []*waiting {
	found := make([]*waiting, 0, len(c.all))
	for w := range c.all {
		found = append(found, w)
	}
	return found
}
