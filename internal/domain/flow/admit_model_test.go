package flow

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
)

// world is a store as an adapter keeps it, and what has become of every event.
type world struct {
	settings *Settings
	now      time.Time
	ids      int
	tats     map[string]time.Time
	counted  map[string]time.Time
	waiting  map[string]Debounced
	open     map[string]OpenBatch
	contents map[ulid.ULID][]event.Tracked
	seen     map[ulid.ULID]time.Time
	locks    map[string]ulid.ULID
	running  map[ulid.ULID]string // run → its lock
	keys     map[string]ulid.ULID
	paused   bool
	fate     map[ulid.ULID]string
	admitted []time.Time // that took a token
}

func newWorld(settings *Settings) *world {
	return &world{
		settings: settings, now: epoch, tats: map[string]time.Time{}, counted: map[string]time.Time{}, waiting: map[string]Debounced{},
		open: map[string]OpenBatch{}, contents: map[ulid.ULID][]event.Tracked{}, seen: map[ulid.ULID]time.Time{}, locks: map[string]ulid.ULID{},
		running: map[ulid.ULID]string{}, keys: map[string]ulid.ULID{}, fate: map[ulid.ULID]string{},
	}
}

// schedule is what an adapter does in a transaction: look up, decide, make true. It returns an error for what must not be.
func (w *world) schedule(e event.Tracked, from Origin, key string) error {
	v := w.settings.Evaluate(e.Event, from, w.now)
	w.ids++
	in := Request{Settings: w.settings, Values: v, ID: idOf(2000 + w.ids), Event: e, Size: 100}
	known := Known{Holder: w.locks[v.SingletonKey], Paused: w.paused, Run: w.keys[key]}
	if v.RateLimit != nil {
		then, counted := w.counted[key]
		known.RateLimit = Counted{TAT: w.tats[v.RateLimit.State(sampleFunction)], Before: counted && w.now.Sub(then) < RequestWindow}
	}
	if one, found := w.waiting[v.DebounceKey]; found && v.Debounced {
		known.Debounced = &one
	}
	if one, found := w.open[v.BatchKey]; found && v.Batched {
		known.Batch = &one
	}
	then, seen := w.seen[e.InternalID]
	known.Seen = seen && w.now.Sub(then) < DuplicateWindow
	out, err := Admit(in, known, w.now)
	if err != nil {
		return err
	}
	if out.Spent != nil {
		w.tats[v.RateLimit.State(sampleFunction)] = out.Spent.TAT
		w.counted[key] = w.now
		w.admitted = append(w.admitted, w.now)
	}
	return w.apply(in, known, out, key)
}

func (w *world) apply(in Request, known Known, out Outcome, key string) error {
	id := in.Event.InternalID
	switch out.Result {
	case Started:
		if out.Start.Before(w.now) {
			return fmt.Errorf("a run starts at %s, before %s", out.Start, w.now)
		}
		if !out.Cancel.IsZero() {
			delete(w.running, out.Cancel)
		} else if holder := w.locks[out.Lock]; out.Lock != "" && !holder.IsZero() {
			return fmt.Errorf("%s runs beside %s", in.ID, holder)
		}
		if out.Lock != "" {
			w.locks[out.Lock] = in.ID
		}
		w.running[in.ID], w.keys[key], w.fate[id] = out.Lock, in.ID, "started"
	case IntoBatch:
		if !out.Batch.Put[0].IsZero() {
			w.contents[out.Batch.Put[0]] = append(w.contents[out.Batch.Put[0]], in.Event)
			w.seen[id], w.fate[id] = w.now, "batched"
		}
		delete(w.open, in.Values.BatchKey)
		if out.Batch.Open != nil {
			w.open[in.Values.BatchKey] = *out.Batch.Open
		}
		for _, full := range out.Batch.Full {
			if err := w.startBatch(full); err != nil {
				return err
			}
		}
	case IntoDebounce:
		if out.Superseded != nil {
			w.fate[out.Superseded.InternalID] = "superseded"
		}
		if out.Debounced != nil {
			w.fate[id] = "debounced"
			w.waiting[in.Values.DebounceKey] = *out.Debounced
		} else if known.Debounced == nil {
			return fmt.Errorf("the first event is dropped")
		}
	default:
		w.fate[id] = out.Result.String()
	}
	return nil
}

func (w *world) startBatch(batch OpenBatch) error {
	events := w.contents[batch.ID]
	if len(events) != batch.Events || len(events) > w.settings.Batch.MaxSize || len(events) == 0 {
		return fmt.Errorf("%+v starts with %d events", batch, len(events))
	}
	delete(w.contents, batch.ID)
	for _, one := range events {
		if w.fate[one.InternalID] != "batched" {
			return fmt.Errorf("%s starts in a batch, it was %s", one.InternalID, w.fate[one.InternalID])
		}
		w.fate[one.InternalID] = "started"
	}
	return w.schedule(events[0], FromBatch, BatchKey(sampleFunction, batch.ID))
}

// pass lets time pass and rings the timers.
func (w *world) pass(by time.Duration) error {
	w.now = w.now.Add(by)
	for _, key := range slices.Sorted(maps.Keys(w.waiting)) {
		if one := w.waiting[key]; one.Ripe(w.now) {
			delete(w.waiting, key)
			if err := w.schedule(one.Event, FromDebounce, DebounceKey(one.Event)); err != nil {
				return err
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(w.open)) {
		if one := w.open[key]; !one.Deadline.After(w.now) {
			delete(w.open, key)
			if err := w.startBatch(one); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestAdmit_LosesNothing drives random functions with random events: every event has exactly one fate, nothing waits for ever, no two runs
// hold a lock, and the rate limit holds over any window.
func TestAdmit_LosesNothing(t *testing.T) {
	t.Parallel()
	draw := func(r *rapid.T) function.Settings {
		key := rapid.SampledFrom([]string{"", "event.data.k"}).Draw(r, "key")
		var s function.Settings
		if rapid.Bool().Draw(r, "rate limit") {
			s.RateLimit = &function.RateLimit{Limit: rapid.IntRange(1, 25).Draw(r, "limit"), Period: "10s"}
		}
		switch rapid.SampledFrom([]string{"batch", "debounce", "none"}).Draw(r, "kind") {
		case "batch":
			s.Batch = &function.Batch{MaxSize: rapid.IntRange(2, 4).Draw(r, "size"), Timeout: "3s", Key: key, If: rapid.SampledFrom([]string{"", "event.data.k != 'b'"}).Draw(r, "if")}
		case "debounce":
			s.Debounce = &function.Debounce{Period: "2s", Key: key, Timeout: rapid.SampledFrom([]string{"", "4s"}).Draw(r, "timeout")}
		}
		if s.Batch == nil && rapid.Bool().Draw(r, "singleton") {
			s.Singleton = &function.Singleton{Key: key, Mode: rapid.SampledFrom([]function.SingletonMode{"skip", "cancel"}).Draw(r, "mode")}
		}
		return s
	}
	rapid.Check(t, func(r *rapid.T) {
		settings := draw(r)
		w := newWorld(compile(t, settings))
		steps := rapid.IntRange(1, 40).Draw(r, "steps")
		for n := range steps {
			var err error
			switch rapid.SampledFrom([]string{"event", "event", "event", "again", "pass", "end", "pause"}).Draw(r, "step") {
			case "event", "again":
				id := n + 1
				if again := rapid.IntRange(1, steps).Draw(r, "id"); again <= n && w.fate[idOf(again)] == "batched" {
					id = again // a batch must know it
				}
				e := withTS(eventOf(id, `{"k":"`+rapid.SampledFrom([]string{"a", "b"}).Draw(r, "value")+`"}`), epoch.Add(time.Duration(rapid.IntRange(-2, 2).Draw(r, "ts"))*time.Second))
				e.ID = rapid.SampledFrom([]string{e.ID, "same"}).Draw(r, "sender's id")
				if id != n+1 && settings.Batch != nil && settings.Batch.If != "" {
					continue // what is not for a batch has no memory of it
				}
				err = w.schedule(e, FromEvent, EventKey(e.Event))
				if err == nil && w.fate[e.InternalID] == "" {
					r.Fatalf("nothing has become of event %d", id)
				}
			case "pass":
				err = w.pass(time.Duration(rapid.IntRange(1, 3000).Draw(r, "ms")) * time.Millisecond)
			case "end":
				for run, lock := range w.running {
					delete(w.running, run)
					if lock != "" && w.locks[lock] == run {
						delete(w.locks, lock)
					}
				}
			case "pause":
				w.paused = !w.paused
			}
			if err != nil {
				r.Fatal(err)
			}
		}
		if err := w.pass(time.Hour); err != nil {
			r.Fatal(err)
		}
		if len(w.waiting) > 0 || len(w.open) > 0 || len(w.contents) > 0 {
			r.Fatalf("left waiting: %v %v %v", w.waiting, w.open, w.contents)
		}
		for id, fate := range w.fate {
			if fate == "batched" || fate == "debounced" {
				r.Fatalf("%s is still %s", id, fate)
			}
		}
		if settings.RateLimit != nil {
			for first := range w.admitted {
				for last := first; last < len(w.admitted); last++ {
					limit := float64(settings.RateLimit.Limit)
					bound := limit*w.admitted[last].Sub(w.admitted[first]).Seconds()/10 + float64(settings.RateLimit.Limit/10) + 1
					if float64(last-first+1) > bound+1e-6 {
						r.Fatalf("%d were admitted, allowed are %f", last-first+1, bound)
					}
				}
			}
		}
	})
}
