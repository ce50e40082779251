package crash

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// sentEvent is what the senders know of an event.
type sentEvent struct {
	key, kind, group string
	ts               int64     // the event's own time, in ms; 0 left it to the server
	sent             time.Time // before it was sent first
	id               string    // internal id; empty unless it got a 200
	answered         time.Time // when it got a 200
}

func (e sentEvent) accepted() bool { return e.id != "" }

// ledger is what all senders sent and were answered.
type ledger struct {
	mu     sync.Mutex
	events map[string]*sentEvent // by key
	groups map[string][]string   // keys of accepted events that may be unfinished, by group
	resent int                   // repeated batches
}

func newLedger() *ledger {
	return &ledger{events: map[string]*sentEvent{}, groups: map[string][]string{}}
}

func (l *ledger) send(events []event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, ev := range events {
		l.events[ev.Data.Key] = &sentEvent{key: ev.Data.Key, kind: ev.Data.Kind, group: ev.Data.Group, ts: ev.TS, sent: now}
	}
}

func (l *ledger) accept(events []event, ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for i, ev := range events {
		sent := l.events[ev.Data.Key]
		sent.id, sent.answered = ids[i], now
		if group := ev.Data.Group; group != "" {
			l.groups[group] = append(l.groups[group], ev.Data.Key)
		}
	}
}

// open returns how many accepted events of a group are unfinished.
func (l *ledger) open(group string, finished func(key string) bool) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.groups[group] = slices.DeleteFunc(l.groups[group], finished)
	return len(l.groups[group])
}

func (l *ledger) resend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.resent++
}

// accepted returns the internal ids of the events that got a 200, by key.
func (l *ledger) accepted() map[string]string {
	accepted := map[string]string{}
	for _, e := range l.all() {
		if e.accepted() {
			accepted[e.key] = e.id
		}
	}
	return accepted
}

// all returns copies of the events, in the order of their keys.
func (l *ledger) all() []sentEvent {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []sentEvent
	for _, key := range slices.Sorted(maps.Keys(l.events)) {
		all = append(all, *l.events[key])
	}
	return all
}

// of returns copies of the events of a kind.
func (l *ledger) of(kind string) []sentEvent {
	return slices.DeleteFunc(l.all(), func(e sentEvent) bool { return e.kind != kind })
}
