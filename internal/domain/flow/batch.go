package flow

import (
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/ids"
)

// Batch collects events of one key for one run: it starts when MaxSize events or BatchBytes are in it, and at the latest Timeout after the
// first.
//
// Better than the reference by intent: a batch that fills up slowly starts when it is full, not at its timeout.
//
// Source: spec 11 §3.
type Batch struct {
	MaxSize int
	Timeout time.Duration
	key     *key
	when    *key
}

// BatchBytes is how large the events of a batch may be together, in bytes of JSON, before it starts. The last event may exceed it.
const BatchBytes = 10 << 20

// DuplicateWindow is how long an event that was put in a batch of a function is not put in another.
const DuplicateWindow = 30 * time.Minute

// takes reports whether an event is for a batch. One that does not meet the condition starts a run of its own, at once.
func (b *Batch) takes(s *expr.Subject) (bool, error) {
	if b.when == nil {
		return true, nil
	}
	if b.when.err != nil {
		return false, b.when.err
	}
	return b.when.program.MatchSubject(s)
}

// of is the event's key as it names the open batch: empty if there is no expression, else a hash.
func (b *Batch) of(s *expr.Subject) (string, error) {
	if b.key == nil {
		return "", nil
	}
	text, err := b.key.textOr(s, "")
	if err != nil {
		return "", fmt.Errorf("could not retrieve batch key: invalid expression: %w", err)
	}
	return ids.BatchKeyHash(text), nil
}

// OpenBatch is a batch that takes more events. There is at most one per function and key.
type OpenBatch struct {
	ID ulid.ULID
	// Events and Bytes are what is in it.
	Events, Bytes int
	// Deadline is when it starts at the latest.
	Deadline time.Time
}

// Item is an event that is offered to a batch.
type Item struct {
	// ID is the event's internal ID.
	ID ulid.ULID
	// Size is that of the event in bytes of JSON.
	Size int
	// Seen says that the event is in the open batch, or was put in any batch of the function within DuplicateWindow.
	Seen bool
}

// Appended is what becomes of events that were offered to a batch. It must become true in one transaction.
type Appended struct {
	// Put is the batch of each item, in their order; the zero ULID for a duplicate, which is ignored. An event's place in its batch is
	// after all that were put in it before.
	Put []ulid.ULID
	// Full are the batches that start now, in their order. The timer that one of them has is due now, instead of at its deadline.
	Full []OpenBatch
	// Open is what takes the next events, nil for none. It starts at its Deadline; its timer has to exist from now on.
	Open *OpenBatch
}

// Append puts events in the open batch, nil for none, and what it has no room for in new ones with deadlines of their own, for which newID
// gives the IDs. Each event that is no duplicate is in exactly one batch. An open batch that is over the size already, because the function
// has been changed, and one whose deadline has come start without them.
func (b *Batch) Append(open *OpenBatch, items []Item, now time.Time, newID func() ulid.ULID) Appended {
	result := Appended{Put: make([]ulid.ULID, len(items))}
	if open != nil {
		copied := *open
		result.Open = &copied
		result.closeIfDue(now)
	}
	offered := make(map[ulid.ULID]bool, len(items))
	for at, item := range items {
		if item.Seen || offered[item.ID] {
			continue
		}
		offered[item.ID] = true
		result.closeIfFull(b)
		if result.Open == nil {
			result.Open = &OpenBatch{ID: newID(), Deadline: now.Add(b.Timeout)}
		}
		result.Put[at] = result.Open.ID
		result.Open.Events++
		result.Open.Bytes += item.Size
		result.closeIfFull(b)
	}
	return result
}

// closeIfDue keeps events out of a batch whose time has come: whoever starts it has its events already.
func (a *Appended) closeIfDue(now time.Time) {
	if a.Open != nil && !a.Open.Deadline.After(now) {
		a.Full = append(a.Full, *a.Open)
		a.Open = nil
	}
}

func (a *Appended) closeIfFull(b *Batch) {
	if a.Open != nil && (a.Open.Events >= b.MaxSize || a.Open.Bytes >= BatchBytes) {
		a.Full = append(a.Full, *a.Open)
		a.Open = nil
	}
}
