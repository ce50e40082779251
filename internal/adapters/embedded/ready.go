package embedded

import (
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/run"
)

// itemState is where a job is.
type itemState uint8

const (
	// itemWaiting: in the heap of jobs that are not due yet.
	itemWaiting itemState = iota
	// itemReady: in its cell.
	itemReady
	// itemLeased: in a caller's hands.
	itemLeased
	// itemSettling: leased, and its fate is being written.
	itemSettling
)

// item is a job in memory: what orders it, and its record, which is decoded when the job is handed out. It is small
// because a million of them wait at once.
type item struct {
	run     ulid.ULID
	id      string
	payload []byte
	cell    *cell
	due     int64 // nanoseconds since the epoch
	// order is what comes before due: the score in milliseconds of a job that is due, the nanosecond at which another is to be looked at;
	// of one that is leased, the nanosecond since which it is, zero until its taker has it.
	order int64
	seq   uint64
	token uint64
	// index is the item's place in the heap that holds it.
	index      int
	attempt    int32
	generation int32
	factor     int32
	kind       kindCode
	state      itemState
	// admitted says that the job has what the first of its run needs once; unwritten, that this is not durable yet.
	admitted, unwritten bool
	// limited says that the job in hand came from where a limit had kept it, or those before it.
	limited bool
}

// before orders items by their place in the queue, then by due time, then by age.
func (it *item) before(other *item) bool {
	if it.order != other.order {
		return it.order < other.order
	}
	if it.due != other.due {
		return it.due < other.due
	}
	return it.seq < other.seq
}

func (it *item) at() *int { return &it.index }

// taken says that somebody has the item in hand.
func (it *item) taken() bool {
	return (it.state == itemLeased || it.state == itemSettling) && it.order != 0
}

// score is where flow control places the item now.
func (it *item) score(now int64) int64 {
	return flow.Score(flow.Place{Kind: string(it.kind.kind()), Run: it.run, Factor: int(it.factor), At: fromNanos(it.due)}, fromNanos(now))
}

// kindCode is a kind of job in a byte.
type kindCode uint8

// kinds are the kinds by their codes; the first is of jobs whose record cannot be read.
var kinds = [...]run.Kind{"", run.KindStart, run.KindEdge, run.KindEdgeError, run.KindSleep, run.KindPause, run.KindGateway, run.KindCancel}

func codeOf(kind run.Kind) kindCode {
	for code := range kinds {
		if kinds[code] == kind {
			return kindCode(code)
		}
	}
	return 0
}

func (k kindCode) kind() run.Kind { return kinds[k] }

// calls says whether a job of the kind may call the app, or make a request for it. A sleep that is over does so itself.
func (k kindCode) calls() bool {
	switch k.kind() {
	case run.KindStart, run.KindEdge, run.KindEdgeError, run.KindSleep, run.KindGateway:
		return true
	}
	return false
}

// ordered is what a heap holds: it knows its place, so that any can be removed.
type ordered[E any] interface {
	before(other E) bool
	at() *int
}

// heap is a binary heap, the first to come out at index 0.
type heap[E ordered[E]] []E

func (h *heap[E]) push(e E) {
	*e.at() = len(*h)
	*h = append(*h, e)
	h.up(len(*h) - 1)
}

func (h *heap[E]) pop() E {
	first := (*h)[0]
	h.remove(first)
	return first
}

func (h *heap[E]) remove(e E) {
	all := *h
	at, last := *e.at(), len(all)-1
	all[at] = all[last]
	*all[at].at() = at
	var none E
	all[last] = none
	*h = all[:last]
	if at < last {
		h.fix(all[at])
	}
	if cap(*h) > 1024 && last < cap(*h)/4 {
		*h = append(make(heap[E], 0, cap(*h)/2), *h...)
	}
}

// fix moves an element whose order has changed to its place.
func (h *heap[E]) fix(e E) {
	h.up(*e.at())
	h.down(*e.at())
}

func (h *heap[E]) up(at int) {
	all := *h
	for at > 0 {
		parent := (at - 1) / 2
		if !all[at].before(all[parent]) {
			return
		}
		h.swap(at, parent)
		at = parent
	}
}

func (h *heap[E]) down(at int) {
	all := *h
	for {
		child := 2*at + 1
		if child >= len(all) {
			return
		}
		if child+1 < len(all) && all[child+1].before(all[child]) {
			child++
		}
		if !all[child].before(all[at]) {
			return
		}
		h.swap(at, child)
		at = child
	}
}

func (h *heap[E]) swap(a, b int) {
	all := *h
	all[a], all[b] = all[b], all[a]
	*all[a].at(), *all[b].at() = a, b
}

// lane is a function with jobs in the queue. It goes with the last of them.
type lane struct {
	function uuid.UUID
	// free is the cell of jobs that need no room, plain that of calls without keys, keyed are all others by what tells them apart.
	free, plain *cell
	keyed       map[string]*cell
	// own is where plain is: most functions have no other, and come and go with each of their jobs.
	own cell
	// ready are the cells with jobs due that nothing is known to block; cells is where they are.
	ready turn
	cells group
	// items counts all items of the lane, due or not. Of these, later are not due yet, noRoom are in cells that are blocked, and inHand are
	// leased; the others are in cells that are ready.
	items, later, noRoom, inHand int
}

func newLane(function uuid.UUID) *lane {
	l := &lane{function: function}
	l.ready.lane, l.ready.groups[0], l.cells.turn = l, &l.cells, &l.ready
	return l
}

// turn is the cells of one function in a ring.
type turn struct {
	lane *lane
	// blocker is what the ring waits for, nil for nothing.
	blocker *blocker
	// groups are its cells: of those that wait, calls are in one and the first of runs in the other; nil for none.
	groups [2]*group
	// limit is how many may hold the key that the ring waits for, for this function to be among them.
	limit          int
	next, previous *turn
}

// group is cells of a turn, by their first jobs. It moves as a whole when none of them has room somewhere else.
type group struct {
	turn  *turn
	cells heap[*cell]
	// common are keys and buckets that all of them need. Of what is ready nothing is said.
	common []string
}

// placeOf is where the group of a cell is.
func (t *turn) placeOf(c *cell) int {
	if t.blocker != nil && c.class == classFirst {
		return 1
	}
	return 0
}

// first is the cell that comes first, nil for none.
func (t *turn) first() *cell {
	var first *cell
	for _, g := range t.groups {
		if g != nil && len(g.cells) > 0 && (first == nil || g.cells[0].before(first)) {
			first = g.cells[0]
		}
	}
	return first
}

// ring is functions that take turns, and how many there are.
type ring struct {
	turn  *turn
	count int
}

// add puts a cell into its function's turn, and that, if it was empty, last.
func (r *ring) add(t *turn, c *cell) {
	if t.first() == nil {
		r.link(t)
	}
	at := t.placeOf(c)
	if t.groups[at] == nil {
		t.groups[at] = &group{turn: t}
	}
	c.group = t.groups[at]
	c.group.cells.push(c)
}

func (r *ring) link(t *turn) {
	r.count++
	if r.turn == nil {
		t.next, t.previous = t, t
		r.turn = t
		return
	}
	t.next, t.previous = r.turn, r.turn.previous
	t.previous.next, t.next.previous = t, t
}

// remove takes a cell out of its turn.
func (r *ring) remove(c *cell) {
	g := c.group
	t := g.turn
	g.cells.remove(c)
	c.group = nil
	if len(g.cells) == 0 && t.blocker != nil {
		t.groups[t.placeOf(c)] = nil
	}
	if t.first() == nil {
		r.unlink(t)
	}
}

func (r *ring) unlink(t *turn) {
	r.count--
	if t.next == t {
		r.turn = nil
	} else {
		t.previous.next, t.next.previous = t.next, t.previous
		if r.turn == t {
			r.turn = t.next
		}
	}
	t.next, t.previous = nil, nil
}
