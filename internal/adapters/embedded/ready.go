package embedded

import (
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
)

// itemState is where a job is.
type itemState uint8

const (
	// itemWaiting: in the heap of jobs that are not due yet.
	itemWaiting itemState = iota
	// itemReady: in its function's lane.
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
	lane    *lane
	due     int64 // nanoseconds since the epoch
	seq     uint64
	token   uint64
	// place is the item's index in the heap that holds it.
	place      int
	attempt    int32
	generation int32
	state      itemState
}

// before orders items by due time, then by age.
func (it *item) before(other *item) bool {
	if it.due != other.due {
		return it.due < other.due
	}
	return it.seq < other.seq
}

// heap is a binary heap of items, the first to come out at index 0. Items know their place, so any can be removed.
type heap []*item

func (h *heap) push(it *item) {
	it.place = len(*h)
	*h = append(*h, it)
	h.up(it.place)
}

func (h *heap) pop() *item {
	first := (*h)[0]
	h.remove(first)
	return first
}

func (h *heap) remove(it *item) {
	items := *h
	at, last := it.place, len(items)-1
	items[at] = items[last]
	items[at].place = at
	items[last] = nil
	*h = items[:last]
	if at < last {
		h.up(at)
		h.down(at)
	}
	if cap(*h) > 1024 && last < cap(*h)/4 {
		*h = append(make(heap, 0, cap(*h)/2), *h...)
	}
}

func (h *heap) up(at int) {
	items := *h
	for at > 0 {
		parent := (at - 1) / 2
		if !items[at].before(items[parent]) {
			return
		}
		h.swap(at, parent)
		at = parent
	}
}

func (h *heap) down(at int) {
	items := *h
	for {
		child := 2*at + 1
		if child >= len(items) {
			return
		}
		if child+1 < len(items) && items[child+1].before(items[child]) {
			child++
		}
		if !items[child].before(items[at]) {
			return
		}
		h.swap(at, child)
		at = child
	}
}

func (h *heap) swap(a, b int) {
	items := *h
	items[a], items[b] = items[b], items[a]
	items[a].place, items[b].place = a, b
}

// lane holds the jobs of one function that are due, the one that has been due longest first.
type lane struct {
	function uuid.UUID
	jobs     heap
	// items counts all items of the lane, due or not; the lane goes with the last.
	items int
	// next and previous link the lanes that have jobs due into a ring.
	next, previous *lane
}

// ring is the lanes with jobs due. They take turns: pick returns the job at the head of a lane and moves on to the next.
type ring struct {
	turn *lane
}

// add puts an item into its lane, and the lane, if it was empty, last in turn.
func (r *ring) add(it *item) {
	l := it.lane
	l.jobs.push(it)
	if len(l.jobs) > 1 {
		return
	}
	if r.turn == nil {
		l.next, l.previous = l, l
		r.turn = l
		return
	}
	l.next, l.previous = r.turn, r.turn.previous
	l.previous.next, l.next.previous = l, l
}

// pick takes the next job out, nil when none is due.
func (r *ring) pick() *item {
	l := r.turn
	if l == nil {
		return nil
	}
	it := l.jobs.pop()
	r.turn = l.next
	if len(l.jobs) == 0 {
		r.unlink(l)
	}
	return it
}

// remove takes an item out of its lane.
func (r *ring) remove(it *item) {
	l := it.lane
	l.jobs.remove(it)
	if len(l.jobs) == 0 {
		r.unlink(l)
	}
}

func (r *ring) unlink(l *lane) {
	if l.next == l {
		r.turn = nil
	} else {
		l.previous.next, l.next.previous = l.next, l.previous
		if r.turn == l {
			r.turn = l.next
		}
	}
	l.next, l.previous = nil, nil
}
