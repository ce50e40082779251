package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/invoke"
	"github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// invocations are what clients of the API ask for: a run of one function, with a key or without. What must hold:
//
//   - an invocation that is accepted has one run, which is there when the client is told, of the function and with the data that
//     were asked for; however often the client asks with a key, whatever it was told before;
//   - whoever asks with a key that has started a run of the function within 24 hours is told that run, and starts none;
//   - an invocation that is refused has no run, and is refused for what is true of its function;
//   - no other run is started by the event of an invocation.

// invocation is what a client asks for, perhaps more than once.
type invocation struct {
	fn  function.Function
	key string
	// number is that of the event; no other has it.
	number int
	// asked counts the calls, lost those of which the client was not told what came of them.
	asked, lost int
	// told is the run that was started for it; zero for none that the client knows of.
	told ulid.ULID
}

// keyed is a key as the server knows it: with what it started a run of a function, and when.
type keyed struct {
	run ulid.ULID
	at  time.Time
}

// holds says whether the key cannot start another run.
func (k keyed) holds(now time.Time) bool { return !k.run.IsZero() && now.Before(k.at.Add(keyLife)) }

const (
	// keyLife is how long a key starts no other run.
	keyLife = 24 * time.Hour
	// patience is how long a client asks again.
	patience = keyLife / 2
)

// invoke has a client invoke a function, perhaps one that has been invoked before, with the same key.
func (w *World) invoke(ctx context.Context) {
	all := w.app.functions()
	in := &invocation{fn: all[w.rng.IntN(len(all))], number: w.numbers}
	switch n := len(w.invocations); {
	case n > 0 && w.chance(3):
		earlier := w.invocations[w.rng.IntN(n)]
		in.fn, in.key = earlier.fn, earlier.key
	case !w.chance(3):
		in.key = fmt.Sprintf("key-%d", w.rng.IntN(8))
	}
	w.numbers++
	w.invocations = append(w.invocations, in)
	data := json.RawMessage(fmt.Sprintf(`{"n":%d,"k":"%d"}`, in.number, in.number%2))
	w.start("invoke "+in.fn.Slug+" "+in.key, func() {
		for since := w.clock.now; in.asked < deliveries && w.clock.now.Sub(since) < patience; {
			known := w.keys[in.owner()]
			in.asked++
			in.lost++
			started, err := w.invoker.Invoke(ctx, in.fn, data, in.key)
			if !errors.Is(err, ports.ErrUnavailable) {
				in.lost--
				w.answered(in, known, started, err)
			}
			if in.key == "" || in.lost == 0 && !w.chance(4) {
				return // another call may be another run, or is of no use
			}
		}
	})
}

// owner names the key of the invocation as events of its function have it.
func (i *invocation) owner() string { return keyOwner(i.fn.ID, ids.X36(i.key)) }

func keyOwner(function uuid.UUID, hash string) string { return function.String() + " " + hash }

// answered checks what a client is told. known is what the key had started before it asked.
func (w *World) answered(in *invocation, known keyed, started invoke.Started, err error) {
	what := fmt.Sprintf("invocation %d of %s with key %q", in.number, in.fn.Slug, in.key)
	if known = known.of(in); known.holds(w.clock.now) && (err != nil || started.RunID != known.run) {
		w.check.violated("%s is answered %+v, %v, although the key has started run %s", what, started, err, known.run)
		return
	}
	if err != nil {
		if !w.refuses(in, err) {
			w.check.violated("%s is refused: %v", what, err)
		}
		return
	}
	record := w.record(started.RunID)
	if record.FunctionID != in.fn.ID || record.Status == run.Skipped {
		w.check.violated("%s is told of run %s, which is %+v", what, started.RunID, record)
	}
	if !started.Replayed {
		if number, ok := w.numberOf(record); !ok || number != in.number || !in.told.IsZero() {
			w.check.violated("%s is told that it has started run %s, of event %d, after %s", what, started.RunID, number, in.told)
		}
	}
	if number, _ := w.numberOf(record); number == in.number {
		in.told = started.RunID
	}
}

// of is the key if the invocation has one.
func (k keyed) of(in *invocation) keyed {
	if in.key == "" {
		return keyed{}
	}
	return k
}

// refuses says whether the error may be the answer to an invocation of the function.
func (w *World) refuses(in *invocation, err error) bool {
	settings := in.fn.Settings
	switch {
	case errors.Is(err, start.ErrPaused):
		return w.everPaused[in.fn.Slug]
	case errors.Is(err, start.ErrSingleton):
		return settings.Singleton != nil && settings.Singleton.Mode == function.SingletonSkip
	case errors.Is(err, start.ErrRateLimited):
		return settings.RateLimit != nil
	case errors.Is(err, start.ErrDebounced):
		return settings.Debounce != nil
	}
	return false
}

// direct is what the event of an invocation says of it; false for other events.
func direct(e event.Event) (hash string, number int, ok bool) {
	if !event.IsDirect(e) {
		return "", 0, false
	}
	var data struct {
		N       int
		Members struct {
			Key string `json:"invoke_idempotency"`
		} `json:"_inngest"`
	}
	err := json.Unmarshal(e.Data, &data)
	return data.Members.Key, data.N, err == nil
}

// numberOf is the number of the invocation that started a run; false when none did.
func (w *World) numberOf(r ports.RunRecord) (int, bool) {
	e, err := w.backend.Event(context.Background(), r.EventID)
	if err != nil {
		return 0, false
	}
	_, number, ok := direct(e.Event)
	return number, ok
}

// invokedBy notes the run that an invocation starts, and checks that its key has started no other.
func (w *World) invokedBy(next ports.NewRun, result flow.Result) {
	hash, number, ok := direct(next.State.Events[0].Event)
	if !ok || hash == "" || next.Original != (ulid.ULID{}) || w.settles(next.State.FunctionID) {
		return // a debounce forgets the key, and whoever invokes is told no run
	}
	owner := keyOwner(next.State.FunctionID, hash)
	known := w.keys[owner]
	if known.holds(w.clock.now) != (result == flow.Duplicate) {
		w.check.violated("invocation %d of %s becomes %s, and its key has started %s", number, next.State.Slug, result, known.run)
	}
	if result == flow.Started {
		w.keys[owner] = keyed{next.State.ID, w.clock.now}
	}
}

// settles says whether the function keeps its events back.
func (w *World) settles(id uuid.UUID) bool {
	return slices.ContainsFunc(w.app.functions(), func(fn function.Function) bool { return fn.ID == id && fn.Settings.Debounce != nil })
}

// invoked checks the invocations once nothing is left to do.
func (w *World) invoked() {
	runs := map[int][]ports.RunRecord{}
	for _, r := range w.backend.Runs() {
		if number, ok := w.numberOf(r); ok && r.Status != run.Skipped && r.OriginalRunID == (ulid.ULID{}) {
			runs[number] = append(runs[number], r)
		}
	}
	for _, in := range w.invocations {
		found := runs[in.number]
		least, most := 0, 1
		switch {
		case in.fn.Settings.Debounce != nil:
			most = in.asked
		case !in.told.IsZero():
			least = 1
		case in.lost == 0:
			most = 0
		}
		if len(found) < least || len(found) > most {
			w.check.violated("invocation %d of %s has %d runs, want %d to %d", in.number, in.fn.Slug, len(found), least, most)
		}
		for _, r := range found {
			if r.FunctionID != in.fn.ID {
				w.check.violated("invocation %d of %s has started run %s of %s", in.number, in.fn.Slug, r.RunID, w.slug(r))
			}
		}
		delete(runs, in.number)
	}
	if len(runs) > 0 {
		w.check.violated("runs of invocations that nobody asked for: %v", runs)
	}
}
