package embedded

import (
	"strings"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/run"
)

// class is what jobs of a function with the same keys are told apart by.
type class uint8

const (
	// classFree: needs no room.
	classFree class = iota
	// classCall: needs room in the limits of steps.
	classCall
	// classFirst: needs a place for its run and a token of the throttle besides.
	classFirst
)

// cell is the jobs of a function that need the same room: if the first of them has none, neither has another. So what waits for room is a
// cell, however many jobs it has.
type cell struct {
	lane  *lane
	class class
	// keys are those of one of its runs: the others have the same, as far as they count for the class.
	keys *flow.Keys
	// name is its key in the lane, empty for the two that have fields of their own.
	name string
	// jobs are those that are due.
	jobs heap[*item]
	// items counts all of its items, due or not, leased ones too. The cell goes with the last.
	items int
	// needs is what its jobs need at present, nil when that is not known yet.
	needs *needs
	// group is where it waits, nil when it has no job due: under a blocker, or among the cells of its lane that are ready.
	group *group
	// woken is what it waited under before it was told that there is room, until it has been tried.
	woken *blocker
	// pace is that of the last blocker whose room one of its jobs got, nil if it has had no job due in between, or needed no room.
	pace  *pace
	index int
}

func (c *cell) before(other *cell) bool { return c.jobs[0].before(other.jobs[0]) }

func (c *cell) at() *int { return &c.index }

// blocker is what the cell waits under, nil for nothing.
func (c *cell) blocker() *blocker {
	if c.group == nil {
		return nil
	}
	return c.group.turn.blocker
}

// needs is what a job of a cell has to have to be handed out. It is never changed.
type needs struct {
	// steps are the limits of steps; all are these and that of runs.
	steps, all []flow.Constraint
	// run is the limit of runs, with an empty key for none.
	run flow.Constraint
	// throttle is nil for none; bucket is the name of its state.
	throttle *flow.Throttle
	bucket   string
}

// nothing is needed by most.
var nothing = &needs{}

func (n *needs) isNothing() bool { return len(n.all) == 0 && n.throttle == nil }

// keys are those of what has to have room.
func (n *needs) keys() []string {
	keys := make([]string, 0, len(n.all)+1)
	for _, one := range n.all {
		keys = append(keys, one.Key)
	}
	if n.throttle != nil {
		keys = append(keys, n.bucket)
	}
	return keys
}

// limit is how many may hold a key for a job with the needs to be among them.
func (n *needs) limit(key string) int {
	limit, found := 0, false
	for _, one := range n.all {
		if one.Key == key && (!found || one.Limit < limit) {
			limit, found = one.Limit, true
		}
	}
	return limit
}

// classOf is the class of a job as it is now.
func classOf(it *item, keys *flow.Keys) class {
	switch {
	case !it.kind.calls():
		return classFree
	case it.kind.kind() == run.KindStart && !it.admitted && keys != nil && (keys.Run != nil || keys.Throttle != nil):
		return classFirst
	}
	return classCall
}

// join makes an item part of its cell, which is made if there is none. The caller holds mu.
func (q *queue) join(it *item, l *lane, keys *flow.Keys) {
	c := l.cellOf(classOf(it, keys), keys)
	c.items++
	l.items++
	it.cell = c
}

// cellOf finds the cell for jobs of a class and keys, or makes it.
func (l *lane) cellOf(kind class, keys *flow.Keys) *cell {
	if kind == classFree {
		if l.free == nil {
			l.free = &cell{lane: l}
		}
		return l.free
	}
	if keys == nil || kind == classCall && len(keys.Concurrency) == 0 {
		if l.plain == nil {
			l.own = cell{lane: l, class: classCall}
			l.plain = &l.own
		}
		return l.plain
	}
	name := cellName(kind, keys)
	c := l.keyed[name]
	if c == nil {
		if l.keyed == nil {
			l.keyed = map[string]*cell{}
		}
		c = &cell{lane: l, class: kind, keys: keys, name: name}
		l.keyed[name] = c
	}
	return c
}

// cellName is what the jobs of a cell have in common. No part of a key has a zero byte in it.
func cellName(kind class, keys *flow.Keys) string {
	var name strings.Builder
	part := func(text string) {
		name.WriteString(text)
		name.WriteByte(0)
	}
	for _, key := range keys.Concurrency {
		part(key.Key)
		part(key.Hash)
	}
	if kind == classFirst {
		part("")
		if keys.Run != nil {
			part(keys.Run.ID)
			part(keys.Run.Value)
		}
		part("")
		if keys.Throttle != nil {
			part(keys.Throttle.Hash)
			part(keys.Throttle.Key)
		}
	}
	return name.String()
}

// leave counts an item out that was of the cell and is in no heap. The caller holds mu.
func (q *queue) leave(c *cell) {
	l := c.lane
	if c.items--; c.items == 0 {
		switch {
		case c == l.free:
			l.free = nil
		case c == l.plain:
			l.plain = nil
		default:
			delete(l.keyed, c.name)
		}
	}
	if l.items--; l.items == 0 {
		delete(q.lanes, l.function)
	}
}

// enter puts an item that is due into its cell. The caller holds mu.
func (q *queue) enter(it *item) {
	c := it.cell
	it.state = itemReady
	c.jobs.push(it)
	switch {
	case c.group == nil:
		q.ready.add(&c.lane.ready, c)
		return
	case it.index == 0:
		c.group.cells.fix(c)
	}
	if c.blocker() != nil {
		c.lane.noRoom++
	}
}

// exit takes an item out of its cell. The caller holds mu.
func (q *queue) exit(it *item) {
	c := it.cell
	if len(c.jobs) > 1 {
		first := it.index == 0
		c.jobs.remove(it)
		if first {
			c.group.cells.fix(c)
		}
		if c.blocker() != nil {
			c.lane.noRoom--
		}
		return
	}
	q.unplace(c)
	c.jobs.remove(it)
	c.pace = nil
	q.tried(c)
}

// unplace takes a cell out of where it waits. Its jobs are still there. The caller holds mu.
func (q *queue) unplace(c *cell) {
	if c.blocker() != nil {
		q.unblock(c)
		return
	}
	q.ready.remove(c)
}
