package embedded

import (
	"container/list"
	"sync"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/run"
)

// stateCost is what a state costs in memory besides its payloads.
const stateCost = 600

// cache keeps the states of runs in progress, the least recently used ones give way. A state is put in after its commit
// only, so what is found is what the database holds. States share what did not change between revisions; a state counts
// in full, so the cache holds less than its bound, never more.
type cache struct {
	limit int

	mu    sync.Mutex
	size  int
	order list.List // of *cached, most recently used in front
	runs  map[ulid.ULID]*list.Element
}

type cached struct {
	state run.State
	size  int
}

func newCache(limit int) *cache {
	return &cache{limit: limit, runs: map[ulid.ULID]*list.Element{}}
}

// get returns the state of a run, if it is kept.
func (c *cache) get(id ulid.ULID) (run.State, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element := c.runs[id]
	if element == nil {
		return run.State{}, false
	}
	c.order.MoveToFront(element)
	return element.Value.(*cached).state, true
}

// put keeps a state unless a later revision is kept already: a slow reader does not undo a commit.
func (c *cache) put(s run.State) {
	size := stateSize(s)
	c.mu.Lock()
	defer c.mu.Unlock()
	if element := c.runs[s.ID]; element != nil {
		kept := element.Value.(*cached)
		if kept.state.Revision > s.Revision {
			return
		}
		c.size += size - kept.size
		kept.state, kept.size = s, size
		c.order.MoveToFront(element)
	} else {
		if size > c.limit {
			return
		}
		c.runs[s.ID] = c.order.PushFront(&cached{state: s, size: size})
		c.size += size
	}
	for c.size > c.limit && c.order.Len() > 0 {
		c.evict(c.order.Back())
	}
}

// drop forgets a run that has ended.
func (c *cache) drop(id ulid.ULID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if element := c.runs[id]; element != nil {
		c.evict(element)
	}
}

func (c *cache) evict(element *list.Element) {
	kept := c.order.Remove(element).(*cached)
	c.size -= kept.size
	delete(c.runs, kept.state.ID)
}

// stateSize estimates what a state costs in memory.
func stateSize(s run.State) int {
	size := stateCost + s.Size + 120*len(s.Stack) + 90*len(s.Jobs) + 60*len(s.Pending)
	for _, tracked := range s.Events {
		size += 200 + eventSize(tracked)
	}
	for _, pause := range s.Pauses {
		size += 450 + len(pause.Op) + len(pause.Event) + len(pause.Signal) + len(pause.Expression) + len(pause.Job)
	}
	for id, d := range s.Defers {
		size += 120 + len(id) + len(d.Slug) + len(d.Input)
	}
	for id, input := range s.Inputs {
		size += 80 + len(id) + len(input)
	}
	return size + len(ulid.ULID{})*len(s.Consumed)
}
