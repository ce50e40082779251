package portstest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// spanCases are the part of the contract of ports.History that is about the rows of traces.
var spanCases = map[string]func(t *testing.T, p Ports){
	"Spans/are there at once, with all that they say":          spansOfRun,
	"Spans/are there once after a crash at any time":           spansSurvive,
	"Spans/are ordered by start, end and ID":                   spansOrdered,
	"Spans/of a commit that is refused or fails are not there": spansRefused,
	"Spans/of a run that starts, is skipped, or neither":       spansOfSchedule,
	"Spans/whose ID is taken are there all the same":           spansTwice,
	"Spans/of many runs are of the right one":                  spansOfMany,
	"AddSpans/are there once, however often they are sent":     spansAdded,
	"AddSpans/leaves out what there is no run or no room for":  spansNoRoom,
	"AddSpans/is all or nothing":                               spansAddedCut,
	"Payload/is of one row, and large":                         payloads,
	"Payload/of a row that is not there is ErrNotFound":        payloadUnknown,
}

// rowOf is a row of a run's trace, complete.
func rowOf(p Ports, id ulid.ULID, span string) trace.Span {
	traceID, root := trace.RunIDs(id)
	return trace.Span{
		Run: id, App: uuid.MustParse("690c7235-59b3-5a4e-9c04-e1aa98cc6e38"), Function: aFunction, Trace: traceID, ID: span, Parent: root, Dynamic: span,
		Name: trace.NameStep, Start: p.Now().UTC(), End: p.Now().UTC().Add(1500 * time.Microsecond), Status: trace.Completed,
		Attributes: json.RawMessage(`{"_inngest.step.id":"é\u003c","_inngest.step.name":"n"}`),
	}
}

// rootOf is the first row of a run's trace.
func rootOf(p Ports, id ulid.ULID) trace.Span {
	row := rowOf(p, id, "")
	_, row.ID = trace.RunIDs(id)
	row.Dynamic, row.Parent, row.Name, row.Status = row.ID, trace.NoParent, trace.NameRun, trace.Queued
	row.Attributes = json.RawMessage(`{"_inngest.queued_at":"1"}`)
	row.Input, row.EventIDs = json.RawMessage(`[{"name":"a"}]`), []ulid.ULID{id, anEvent(p).InternalID}
	row.Summary = &trace.Summary{Status: trace.Queued}
	return row
}

// endOf is the row that ends a run's trace.
func endOf(p Ports, id ulid.ULID) trace.Span {
	row := rootOf(p, id)
	row.ID, row.Name, row.Status, row.EventIDs, row.Input = "ffffffffffffffff", trace.NameExtend, trace.Completed, nil, nil
	row.Attributes, row.Output = json.RawMessage(`{"_inngest.ended_at":"2"}`), json.RawMessage(`{"data":1.50}`)
	row.Summary = &trace.Summary{Status: trace.Completed, StartedAt: p.Now(), EndedAt: p.Now()}
	return row
}

// commitSpans commits spans on a run in progress, without other effect.
func commitSpans(t tb, p Ports, id ulid.ULID, spans ...trace.Span) {
	t.Helper()
	state, err := p.Store.Load(t.Context(), id)
	must(t, err)
	_, err = p.Store.Commit(t.Context(), ports.Commit{State: state, Spans: spans, Transition: run.Transition{
		Steps: []run.Step{{ID: ulid.Make().String(), Memo: json.RawMessage(`1`)}}, RequestVersion: state.RequestVersion,
	}})
	must(t, err)
}

// read are the spans of a run, with rows of one span put together: an adapter may have done so or not.
func read(t tb, p Ports, id ulid.ULID) []trace.Span {
	t.Helper()
	rows, err := p.History.Spans(t.Context(), id)
	must(t, err)
	return trace.Merge(rows)
}

// reads checks the spans of a run, in any order.
func reads(t tb, p Ports, id ulid.ULID, want ...trace.Span) {
	t.Helper()
	got, want := read(t, p, id), slices.Clone(want)
	byID := func(a, b trace.Span) int { return strings.Compare(a.ID, b.ID) }
	slices.SortFunc(got, byID)
	slices.SortFunc(want, byID)
	same(t, got, want)
}

// shown is a row as it is read.
func shown(row trace.Span) trace.Span {
	row.HasInput, row.HasOutput = row.Input != nil, row.Output != nil
	row.Input, row.Output, row.Summary, row.AI = nil, nil, nil, false
	return row
}

func spansOfRun(t *testing.T, p Ports) {
	next := aRun(p)
	id := next.State.ID
	next.Spans = []trace.Span{rootOf(p, id)}
	next.Spans[0].Deferred = true
	schedule(t, p, next)
	reads(t, p, id, shown(next.Spans[0]))
	p.Pass(time.Second)
	step := rowOf(p, id, "00000000000000aa")
	step.Output = json.RawMessage(`{"data":"é"}`)
	waits := rowOf(p, id, "00000000000000bb")
	waits.Status, waits.Attributes = trace.Waiting, nil
	commitSpans(t, p, id, step, waits)
	reads(t, p, id, shown(next.Spans[0]), shown(step), shown(waits))
	p.Pass(time.Minute)
	over := rowOf(p, id, "00000000000000cc")
	over.Dynamic, over.Name, over.Attributes = waits.Dynamic, trace.NameExtend, json.RawMessage(`{"_inngest.step.wait.expired":false}`)
	commitSpans(t, p, id, over)
	p.Pass(time.Minute)
	l := lease(t, p)
	state, err := p.Store.Load(t.Context(), id)
	must(t, err)
	end := endOf(p, id)
	_, err = p.Store.Commit(t.Context(), ports.Commit{Lease: l, State: state, Transition: ending(p), Spans: []trace.Span{end}})
	must(t, err)
	want := trace.Merge([]trace.Span{shown(next.Spans[0]), shown(step), shown(waits), shown(over), shown(end)})
	survives(t, p, func(p Ports) { reads(t, p, id, want...) })
	rows, err := p.History.Spans(t.Context(), anEvent(p).InternalID)
	must(t, err)
	same(t, len(rows), 0)
	if _, err := p.History.Spans(ended(t), id); err == nil {
		t.Fatal("read with an ended context")
	}
}

// spansSurvive restarts between commits, before and after what they have was read.
func spansSurvive(t *testing.T, p Ports) {
	if p.Restart == nil {
		t.Log("the adapter keeps nothing")
		return
	}
	next := aRun(p)
	id := next.State.ID
	next.Spans = []trace.Span{rootOf(p, id)}
	schedule(t, p, next)
	want := []trace.Span{shown(next.Spans[0])}
	for i := range 6 {
		step := rowOf(p, id, "00000000000000a"+string(rune('0'+i)))
		commitSpans(t, p, id, step)
		want = append(want, shown(step))
		if i%2 == 1 {
			reads(t, p, id, want...)
		}
		p = p.Restart()
		if i%3 == 2 {
			p.Pass(time.Minute)
		}
		p.Pass(time.Millisecond)
	}
	end := endOf(p, id)
	commitSpans(t, p, id, end)
	want[0] = trace.Merge([]trace.Span{want[0], shown(end)})[0]
	survives(t, p.Restart(), func(p Ports) { reads(t, p, id, want...) })
}

func spansOrdered(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	var rows []trace.Span
	for i, tenths := range []int{3, 1, 2, 1, 1} {
		row := rowOf(p, next.State.ID, string(rune('f'-i))+"000000000000000")
		row.Start = row.Start.Add(time.Duration(tenths) * 100 * time.Millisecond)
		row.End = row.Start.Add(time.Duration(i/4) * time.Second)
		rows = append(rows, row)
	}
	commitSpans(t, p, next.State.ID, rows...)
	got, err := p.History.Spans(t.Context(), next.State.ID)
	must(t, err)
	same(t, got, []trace.Span{shown(rows[3]), shown(rows[1]), shown(rows[4]), shown(rows[2]), shown(rows[0])})
}

func spansRefused(t *testing.T, p Ports) {
	next := aRun(p)
	next.Spans = []trace.Span{rootOf(p, next.State.ID)}
	schedule(t, p, next)
	stale := next.State
	commitSpans(t, p, next.State.ID)
	_, err := p.Store.Commit(t.Context(), ports.Commit{State: stale, Transition: ending(p), Spans: []trace.Span{endOf(p, stale.ID)}})
	is(t, err, ports.ErrConflict)
	reads(t, p, stale.ID, shown(next.Spans[0]))
	if p.FailWrite == nil {
		return
	}
	second := aRun(p)
	second.Spans = []trace.Span{rootOf(p, second.State.ID)}
	cut(t, p, func() error {
		_, err := p.Store.Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{second}})
		return err
	}, func(t *testing.T) { same(t, len(read(t, p, second.State.ID)), 0) })
	reads(t, p, second.State.ID, shown(second.Spans[0]))
}

func spansOfSchedule(t *testing.T, p Ports) {
	settings := &flow.Settings{Function: aFunction, Singleton: &flow.Singleton{}}
	first, second := asks(p, settings, anEvent(p)), asks(p, settings, anEvent(p))
	first.Spans, second.Spans = []trace.Span{rootOf(p, first.State.ID)}, []trace.Span{rootOf(p, second.State.ID)}
	schedule(t, p, first)
	answers := schedule(t, p, second)
	same(t, answers[0].Result, flow.Skipped)
	reads(t, p, first.State.ID, shown(first.Spans[0]))
	rows := read(t, p, second.State.ID)
	if len(rows) != 1 || rows[0].Status != trace.Skipped || !strings.Contains(string(rows[0].Attributes), `"_inngest.run.skip_existing_run_id":"`+first.State.ID.String()+`"`) {
		t.Fatalf("skipped for %s: %+v", first.State.ID, rows)
	}
	one, duplicate := aRun(p, withKey("k")), aRun(p, withKey("k"))
	one.Spans, duplicate.Spans = []trace.Span{rootOf(p, one.State.ID)}, []trace.Span{rootOf(p, duplicate.State.ID)}
	schedule(t, p, one)
	schedule(t, p, duplicate)
	same(t, len(read(t, p, duplicate.State.ID)), 0)
	skipped := aSkip(p, anEvent(p))
	skipped.Spans = []trace.Span{rootOf(p, skipped.RunID)}
	skipped.Spans[0].Status, skipped.Spans[0].Summary.Status = trace.Skipped, trace.Skipped
	_, err := p.Store.Schedule(t.Context(), ports.Schedule{Skipped: []ports.SkippedRun{skipped}})
	must(t, err)
	survives(t, p, func(p Ports) { reads(t, p, skipped.RunID, shown(skipped.Spans[0])) })
}

// spansTwice has an attempt counted anew: two spans with one ID.
func spansTwice(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	for range 3 {
		row := rowOf(p, next.State.ID, "00000000000000dd")
		commitSpans(t, p, next.State.ID, row)
		_, err := p.History.Spans(t.Context(), next.State.ID)
		must(t, err)
		p.Pass(time.Second)
	}
	rows, err := p.History.Spans(t.Context(), next.State.ID)
	must(t, err)
	same(t, len(rows), 3)
}

func spansOfMany(t *testing.T, p Ports) {
	var runs []ports.NewRun
	for range 50 {
		next := aRun(p, ofFunction(uuid.New()))
		next.Spans = []trace.Span{rootOf(p, next.State.ID)}
		runs = append(runs, next)
		schedule(t, p, next)
	}
	for _, next := range runs {
		commitSpans(t, p, next.State.ID, rowOf(p, next.State.ID, "00000000000000ee"))
	}
	for _, next := range slices.Backward(runs) {
		reads(t, p, next.State.ID, shown(next.Spans[0]), shown(rowOf(p, next.State.ID, "00000000000000ee")))
	}
}

func payloads(t *testing.T, p Ports) {
	next := aRun(p)
	next.Spans = []trace.Span{rootOf(p, next.State.ID)}
	schedule(t, p, next)
	large := rowOf(p, next.State.ID, "00000000000000aa")
	large.Output, large.Input = json.RawMessage(`{"data":"`+strings.Repeat("é", 1<<20)+`"}`), json.RawMessage(`["x"]`)
	none := rowOf(p, next.State.ID, "00000000000000bb")
	commitSpans(t, p, next.State.ID, large, none)
	survives(t, p, func(p Ports) {
		for _, want := range []trace.Span{next.Spans[0], large, none} {
			input, output, err := p.History.Payload(t.Context(), want.Run, want.ID)
			must(t, err)
			if string(input) != string(want.Input) || string(output) != string(want.Output) {
				t.Fatalf("span %s: input %.40s, output %.40s", want.ID, input, output)
			}
		}
	})
}

func payloadUnknown(t *testing.T, p Ports) {
	next := aRun(p)
	next.Spans = []trace.Span{rootOf(p, next.State.ID)}
	schedule(t, p, next)
	_, _, err := p.History.Payload(t.Context(), next.State.ID, "00000000000000aa")
	is(t, err, ports.ErrNotFound)
	_, _, err = p.History.Payload(t.Context(), anEvent(p).InternalID, next.Spans[0].ID)
	is(t, err, ports.ErrNotFound)
	if _, _, err := p.History.Payload(ended(t), next.State.ID, next.Spans[0].ID); err == nil {
		t.Fatal("read with an ended context")
	}
}

// userRow is a row of a span that an app made itself.
func userRow(p Ports, id ulid.ULID, span string) trace.Span {
	row := rowOf(p, id, span)
	row.Name, row.Status = trace.NameUserland, ""
	row.Attributes = json.RawMessage(`{"_inngest.userland":true,"a":"\u003cé"}`)
	return row
}

func addSpans(t tb, p Ports, left int, rows ...trace.Span) {
	t.Helper()
	got, err := p.History.AddSpans(t.Context(), rows)
	must(t, err)
	same(t, got, left)
}

func spansAdded(t *testing.T, p Ports) {
	first, second := aRun(p), aRun(p)
	first.Spans = []trace.Span{rootOf(p, first.State.ID)}
	schedule(t, p, first)
	schedule(t, p, second)
	root, one, two, other := first.Spans[0], userRow(p, first.State.ID, "00000000000000a1"), userRow(p, first.State.ID, "00000000000000a2"), userRow(p, second.State.ID, "00000000000000a1")
	two.Status, two.Parent = trace.Failed, one.ID
	addSpans(t, p, 0)
	addSpans(t, p, 0, one, other)
	reads(t, p, first.State.ID, shown(root), shown(one))
	again := one
	again.Attributes, again.Status = json.RawMessage(`{"changed":true}`), trace.Completed
	addSpans(t, p, 0, again, two, two)
	survives(t, p, func(p Ports) {
		reads(t, p, first.State.ID, shown(root), shown(one), shown(two))
		reads(t, p, second.State.ID, shown(other))
	})
	if _, err := p.History.AddSpans(ended(t), []trace.Span{one}); err == nil {
		t.Fatal("added with an ended context")
	}
}

func spansNoRoom(t *testing.T, p Ports) {
	full, other := aRun(p), aRun(p)
	schedule(t, p, full)
	schedule(t, p, other)
	unknown := userRow(p, anEvent(p).InternalID, "00000000000000a1")
	addSpans(t, p, 1, unknown, userRow(p, other.State.ID, "00000000000000a1"))
	same(t, len(read(t, p, unknown.Run)), 0)
	rows := make([]trace.Span, trace.MostUserland-1)
	for i := range rows {
		rows[i] = userRow(p, full.State.ID, fmt.Sprintf("%016x", i+1))
	}
	addSpans(t, p, 0, rows...)
	addSpans(t, p, 2, userRow(p, full.State.ID, "ffffffffffffff01"), userRow(p, full.State.ID, "ffffffffffffff02"), userRow(p, full.State.ID, "ffffffffffffff03"))
	addSpans(t, p, 0, userRow(p, other.State.ID, "ffffffffffffff01"))
	got, err := p.History.Spans(t.Context(), full.State.ID)
	must(t, err)
	same(t, len(got), trace.MostUserland)
}

func spansAddedCut(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	id := next.State.ID
	rows := []trace.Span{userRow(p, id, "00000000000000a1"), userRow(p, id, "00000000000000a2")}
	cut(t, p, func() error {
		_, err := p.History.AddSpans(t.Context(), rows)
		return err
	}, func(t *testing.T) { same(t, len(read(t, p, id)), 0) })
	addSpans(t, p, 0, rows...)
	reads(t, p, id, shown(rows[0]), shown(rows[1]))
}
