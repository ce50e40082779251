package portstest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/metadata"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// TestMetadata is the contract of ports.Metadata, and of what Store.Commit does to it.
func TestMetadata(t *testing.T, run Runner) {
	cases(t, run, map[string]func(t *testing.T, p Ports){
		"Put/keeps updates as they are, in order":            metadataKept,
		"Put/of an unknown run is ErrNotFound":               metadataUnknownRun,
		"AllOf/returns what All returns, of each run":        metadataOfRuns,
		"Put/after the run has ended":                        metadataAfterEnd,
		"Put/is all or nothing":                              metadataCut,
		"Put/refuses what is too large, and writes nothing":  metadataTooLarge,
		"Put/counts together what many put at once":          metadataRace,
		"Put/with an ended context writes nothing":           metadataEndedContext,
		"Put/is durable":                                     metadataDurable,
		"Commit/keeps metadata with the steps":               metadataCommitted,
		"Commit/keeps metadata with the end of the run":      metadataOfTheEnd,
		"Commit/leaves out what the run has no room for":     metadataOverflow,
		"Commit/that is refused keeps none":                  metadataOfAConflict,
		"Commit/counts together with what was put":           metadataCountedTogether,
		"All/of a run that has none is empty":                metadataNone,
		"All/with an ended context is an error of its cause": metadataReadEnded,
	})
}

// note is an update of a run or a step.
func note(target metadata.Target, kind string, values metadata.Values) metadata.Update {
	return metadata.Update{Target: target, Kind: kind, Op: metadata.Merge, Values: values}
}

// noteOf is an update whose values have n bytes.
func noteOf(n int) metadata.Update {
	return note(metadata.OfRun(), "userland.large", metadata.Values{"k": json.RawMessage(`"` + strings.Repeat("x", n-3) + `"`)})
}

// notes are all the updates of a run, without their times.
func notes(t tb, p Ports, id ulid.ULID) []metadata.Update {
	t.Helper()
	all, err := p.Metadata.All(t.Context(), id)
	must(t, err)
	var updates []metadata.Update
	for _, stored := range all {
		updates = append(updates, stored.Update)
	}
	return updates
}

func metadataKept(t *testing.T, p Ports) {
	next, other := aRun(p), aRun(p)
	schedule(t, p, next, other)
	raw := func(text string) json.RawMessage { return json.RawMessage(text) }
	first := []metadata.Update{
		note(metadata.OfRun(), "userland.a", metadata.Values{"n": raw("9007199254740993"), "é'\"\n": raw(`"<&>\u0000ü"`), "z": raw(`{"b":1,"a":[1.0,null]}`)}),
		note(metadata.OfStep("step", metadata.FinalAttempt), "userland.a", nil),
		note(metadata.OfStep("step", 0), "userland.a", metadata.Values{"": raw("true")}),
	}
	second := []metadata.Update{
		{Target: metadata.OfSpan("step", 0, "span é"), Kind: "kind é", Op: metadata.Set, Values: metadata.Values{"x": raw("1")}},
		{Target: metadata.OfRun(), Kind: "userland.a", Op: metadata.Delete, Values: metadata.Values{"n": raw("null")}},
		{Target: metadata.OfRun(), Kind: "userland.a", Op: metadata.Add, Values: metadata.Values{"n": raw("1")}},
	}
	at := p.Now()
	must(t, p.Metadata.Put(t.Context(), next.State.ID, first))
	p.Pass(time.Second)
	must(t, p.Metadata.Put(t.Context(), other.State.ID, first[:1]))
	must(t, p.Metadata.Put(t.Context(), next.State.ID, second))
	must(t, p.Metadata.Put(t.Context(), next.State.ID, nil))
	var want []metadata.Stored
	for _, update := range first {
		want = append(want, metadata.Stored{Update: update, At: at.UTC()})
	}
	for _, update := range second {
		want = append(want, metadata.Stored{Update: update, At: at.Add(time.Second).UTC()})
	}
	got, err := p.Metadata.All(t.Context(), next.State.ID)
	must(t, err)
	same(t, got, want)
	same(t, notes(t, p, other.State.ID), first[:1])
}

func metadataUnknownRun(t *testing.T, p Ports) {
	unknown := aRun(p).State.ID
	is(t, p.Metadata.Put(t.Context(), unknown, []metadata.Update{noteOf(10)}), ports.ErrNotFound)
	is(t, p.Metadata.Put(t.Context(), unknown, nil), ports.ErrNotFound)
	_, err := p.Metadata.All(t.Context(), unknown)
	is(t, err, ports.ErrNotFound)
}

func metadataAfterEnd(t *testing.T, p Ports) {
	schedule(t, p, aRun(p))
	l := lease(t, p)
	must(t, p.Metadata.Put(t.Context(), l.Job.RunID, []metadata.Update{noteOf(10)}))
	finish(t, p, l)
	must(t, p.Metadata.Put(t.Context(), l.Job.RunID, []metadata.Update{noteOf(11)}))
	same(t, notes(t, p, l.Job.RunID), []metadata.Update{noteOf(10), noteOf(11)})
}

func metadataCut(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	updates := []metadata.Update{noteOf(10), noteOf(20), noteOf(30)}
	cut(t, p, func() error { return p.Metadata.Put(t.Context(), next.State.ID, updates) }, func(t *testing.T) {
		t.Helper()
		same(t, notes(t, p, next.State.ID), []metadata.Update(nil))
	})
}

func metadataTooLarge(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	large := noteOf(metadata.MaxUpdateBytes)
	is(t, p.Metadata.Put(t.Context(), next.State.ID, []metadata.Update{noteOf(10), noteOf(metadata.MaxUpdateBytes + 1)}), metadata.ErrUpdateTooLarge)
	same(t, notes(t, p, next.State.ID), []metadata.Update(nil))
	most := metadata.MaxRunBytes / metadata.MaxUpdateBytes
	for range most - 1 {
		must(t, p.Metadata.Put(t.Context(), next.State.ID, []metadata.Update{large}))
	}
	is(t, p.Metadata.Put(t.Context(), next.State.ID, []metadata.Update{noteOf(100), large}), metadata.ErrRunFull)
	must(t, p.Metadata.Put(t.Context(), next.State.ID, []metadata.Update{large}))
	is(t, p.Metadata.Put(t.Context(), next.State.ID, []metadata.Update{noteOf(3)}), metadata.ErrRunFull)
	must(t, p.Metadata.Put(t.Context(), next.State.ID, nil))
	same(t, len(notes(t, p, next.State.ID)), most)
}

func metadataRace(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	half := make([]metadata.Update, metadata.MaxRunBytes/metadata.MaxUpdateBytes/2)
	for i := range half {
		half[i] = noteOf(metadata.MaxUpdateBytes)
	}
	won := atOnce(t, 5, func(int) error { return p.Metadata.Put(t.Context(), next.State.ID, half) }, metadata.ErrRunFull)
	same(t, won, 2)
}

func metadataEndedContext(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	if err := p.Metadata.Put(ended(t), next.State.ID, []metadata.Update{noteOf(10)}); err == nil {
		t.Fatal("written with an ended context")
	}
	same(t, notes(t, p, next.State.ID), []metadata.Update(nil))
}

func metadataDurable(t *testing.T, p Ports) {
	if p.Restart == nil {
		return
	}
	next := aRun(p)
	schedule(t, p, next)
	most := metadata.MaxRunBytes / metadata.MaxUpdateBytes
	for range most - 1 {
		must(t, p.Metadata.Put(t.Context(), next.State.ID, []metadata.Update{noteOf(metadata.MaxUpdateBytes)}))
	}
	p = p.Restart()
	same(t, len(notes(t, p, next.State.ID)), most-1)
	is(t, p.Metadata.Put(t.Context(), next.State.ID, []metadata.Update{noteOf(metadata.MaxUpdateBytes), noteOf(3)}), metadata.ErrRunFull)
}

// noting is a transition that saves a step with metadata.
func noting(l ports.Lease, updates ...metadata.Update) run.Transition {
	return run.Transition{
		Steps: []run.Step{{ID: "a", Memo: json.RawMessage(`{"data":1}`)}}, Metadata: updates,
		Jobs:    []run.Job{{ID: "next", RunID: l.Job.RunID, FunctionID: l.Job.FunctionID, Kind: run.KindEdge, MaxAttempts: 4}},
		Current: run.Disposition{Fate: run.FateDone},
	}
}

func metadataCommitted(t *testing.T, p Ports) {
	schedule(t, p, aRun(p))
	l := lease(t, p)
	state, err := p.Store.Load(t.Context(), l.Job.RunID)
	must(t, err)
	updates := []metadata.Update{noteOf(10), note(metadata.OfStep("a", metadata.FinalAttempt), "userland.a", metadata.Values{"x": json.RawMessage("1")})}
	var after run.State
	cut(t, p, func() (err error) {
		after, err = p.Store.Commit(t.Context(), ports.Commit{Lease: l, State: state, Transition: noting(l, updates...)})
		return err
	}, func(t *testing.T) {
		t.Helper()
		same(t, notes(t, p, l.Job.RunID), []metadata.Update(nil))
	})
	if after.ID != l.Job.RunID { // the backend has no writes to cut
		_, err = p.Store.Commit(t.Context(), ports.Commit{Lease: l, State: state, Transition: noting(l, updates...)})
		must(t, err)
	}
	same(t, notes(t, p, l.Job.RunID), updates)
}

func metadataOfTheEnd(t *testing.T, p Ports) {
	schedule(t, p, aRun(p))
	l := lease(t, p)
	state, err := p.Store.Load(t.Context(), l.Job.RunID)
	must(t, err)
	transition := ending(p)
	transition.Metadata = []metadata.Update{noteOf(10)}
	_, err = p.Store.Commit(t.Context(), ports.Commit{Lease: l, State: state, Transition: transition})
	must(t, err)
	same(t, notes(t, p, l.Job.RunID), transition.Metadata)
}

func metadataOverflow(t *testing.T, p Ports) {
	schedule(t, p, aRun(p))
	l := lease(t, p)
	state, err := p.Store.Load(t.Context(), l.Job.RunID)
	must(t, err)
	updates := []metadata.Update{noteOf(10), noteOf(metadata.MaxUpdateBytes + 1), noteOf(20)}
	for range metadata.MaxRunBytes / metadata.MaxUpdateBytes {
		updates = append(updates, noteOf(metadata.MaxUpdateBytes))
	}
	updates = append(updates, noteOf(30))
	_, err = p.Store.Commit(t.Context(), ports.Commit{Lease: l, State: state, Transition: noting(l, updates...)})
	must(t, err)
	same(t, notes(t, p, l.Job.RunID), metadata.Fit(0, updates))
	after, err := p.Store.Load(t.Context(), l.Job.RunID)
	must(t, err)
	same(t, after.Stack, []string{"a"})
}

func metadataOfAConflict(t *testing.T, p Ports) {
	schedule(t, p, aRun(p))
	l := lease(t, p)
	state, err := p.Store.Load(t.Context(), l.Job.RunID)
	must(t, err)
	state.Revision++
	_, err = p.Store.Commit(t.Context(), ports.Commit{Lease: l, State: state, Transition: noting(l, noteOf(10))})
	is(t, err, ports.ErrConflict)
	same(t, notes(t, p, l.Job.RunID), []metadata.Update(nil))
}

func metadataCountedTogether(t *testing.T, p Ports) {
	schedule(t, p, aRun(p))
	l := lease(t, p)
	state, err := p.Store.Load(t.Context(), l.Job.RunID)
	must(t, err)
	for range metadata.MaxRunBytes/metadata.MaxUpdateBytes - 1 {
		must(t, p.Metadata.Put(t.Context(), l.Job.RunID, []metadata.Update{noteOf(metadata.MaxUpdateBytes)}))
	}
	before := len(notes(t, p, l.Job.RunID))
	_, err = p.Store.Commit(t.Context(), ports.Commit{Lease: l, State: state, Transition: noting(l, noteOf(100), noteOf(metadata.MaxUpdateBytes))})
	must(t, err)
	same(t, notes(t, p, l.Job.RunID)[before:], []metadata.Update{noteOf(100)})
	is(t, p.Metadata.Put(t.Context(), l.Job.RunID, []metadata.Update{noteOf(metadata.MaxUpdateBytes)}), metadata.ErrRunFull)
}

func metadataNone(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	all, err := p.Metadata.All(t.Context(), next.State.ID)
	must(t, err)
	same(t, len(all), 0)
}

func metadataReadEnded(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	if _, err := p.Metadata.All(ended(t), next.State.ID); err == nil {
		t.Fatal("read with an ended context")
	}
}

func metadataOfRuns(t *testing.T, p Ports) {
	with, without, also := aRun(p, withKey("1")), aRun(p, withKey("2")), aRun(p, withKey("3"))
	for _, next := range []ports.NewRun{with, without, also} {
		schedule(t, p, next)
	}
	must(t, p.Metadata.Put(t.Context(), with.State.ID, []metadata.Update{noteOf(10), noteOf(11)}))
	must(t, p.Metadata.Put(t.Context(), also.State.ID, []metadata.Update{noteOf(12)}))
	want := map[ulid.ULID][]metadata.Stored{}
	for _, next := range []ports.NewRun{with, also} {
		all, err := p.Metadata.All(t.Context(), next.State.ID)
		must(t, err)
		want[next.State.ID] = all
	}
	got, err := p.Metadata.AllOf(t.Context(), []ulid.ULID{also.State.ID, without.State.ID, with.State.ID, aRun(p).State.ID})
	must(t, err)
	same(t, got, want)
	if _, err := p.Metadata.AllOf(ended(t), []ulid.ULID{with.State.ID}); err == nil {
		t.Fatal("read with an ended context")
	}
}
