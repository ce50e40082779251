package cron

import (
	"bytes"
	"cmp"
	"container/heap"

	"github.com/google/uuid"
)

// queue holds schedules by when they are due; those due at once by function and text, so that equal worlds fire alike.
type queue []*entry

func (q queue) Len() int { return len(q) }

func (q queue) Less(a, b int) bool {
	if !q[a].due.Equal(q[b].due) {
		return q[a].due.Before(q[b].due)
	}
	return cmp.Or(compareIDs(q[a].function, q[b].function), cmp.Compare(q[a].expression, q[b].expression)) < 0
}

func (q queue) Swap(a, b int) {
	q[a], q[b] = q[b], q[a]
	q[a].at, q[b].at = a, b
}

// Push implements heap.Interface; see push.
func (q *queue) Push(e any) {
	added, ok := e.(*entry)
	if !ok {
		return // push gives nothing else
	}
	added.at = len(*q)
	*q = append(*q, added)
}

// Pop implements heap.Interface; see pop.
func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last], *q = nil, (*q)[:last]
	e.at = -1
	return e
}

func (q *queue) push(e *entry) { heap.Push(q, e) }

func (q *queue) pop() *entry {
	first := (*q)[0]
	heap.Pop(q)
	return first
}

// remove takes an entry out, if it is in there.
func (q *queue) remove(e *entry) {
	if e.at >= 0 {
		heap.Remove(q, e.at)
	}
}

func compareIDs(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }
