package history_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/history"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/metadata"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/sim/mem"
	"github.com/ingothq/ingot/internal/testkit"
)

// clock moves on by step at each look.
type clock struct {
	testkit.Clock
	now  time.Time
	step time.Duration
}

func (c *clock) Now() time.Time {
	c.now = c.now.Add(c.step)
	return c.now
}

type world struct {
	t       *testing.T
	clock   *clock
	backend *mem.Backend
	*history.Reader
	made uint64
}

func setup(t *testing.T, cfg history.Config) *world {
	t.Helper()
	c := &clock{now: time.Date(2026, 11, 24, 1, 0, 0, 0, time.UTC)}
	b := mem.New(c)
	return &world{t: t, clock: c, backend: b, Reader: history.New(history.Deps{
		History: b.History(), Store: b.Store(), Queue: b.Queue(), Metadata: b.Metadata(), Catalog: b.Catalog(), Clock: c,
	}, cfg)}
}

func (w *world) id() (id ulid.ULID) {
	w.made++
	_ = id.SetTime(ulid.Timestamp(w.clock.now))
	for i := range 8 {
		id[15-i] = byte(w.made >> (8 * i))
	}
	return id
}

func (w *world) event(name, data string) event.Tracked {
	w.t.Helper()
	id := w.id()
	e := event.Tracked{InternalID: id, ReceivedAt: w.clock.now, Event: event.Event{ID: "own-" + id.String(), Name: name, Data: json.RawMessage(data), TS: 5}}
	if err := w.backend.Append(w.t.Context(), []event.Tracked{e}); err != nil {
		w.t.Fatal(err)
	}
	return e
}

// run starts a run.
func (w *world) run(cron string, events ...event.Tracked) run.State {
	w.t.Helper()
	w.clock.now = w.clock.now.Add(time.Millisecond)
	spec := run.Spec{
		ID: w.id(), AppID: uuid.New(), FunctionID: uuid.New(), FunctionVersion: 1, Slug: "acme-hello", MaxAttempts: 4, Events: events, Key: "k", Now: w.clock.now,
	}
	state, jobs := run.New(spec)
	next := ports.NewRun{State: state, Start: jobs[0], Cron: cron, Spans: trace.Scheduled(trace.Beginning{Spec: spec, Due: w.clock.now, Cron: cron})}
	if len(events) > 1 {
		next.Batch = w.id()
		next.Spans = trace.Scheduled(trace.Beginning{Spec: spec, Due: w.clock.now, Batch: next.Batch})
	}
	if _, err := w.backend.Schedule(w.t.Context(), ports.Schedule{Runs: []ports.NewRun{next}}); err != nil {
		w.t.Fatal(err)
	}
	return state
}

func (w *world) ends(s run.State, status run.Status, output string) {
	w.t.Helper()
	t := run.Transition{StartedAt: w.clock.now, Finish: &run.Finish{Status: status, Output: json.RawMessage(output), At: w.clock.now}}
	commit := ports.Commit{State: s, Transition: t, Spans: trace.Advanced(s, run.CancelRequested{Now: w.clock.now}, t, nil)}
	if _, err := w.backend.Commit(w.t.Context(), commit); err != nil {
		w.t.Fatal(err)
	}
}

func ids(runs []ports.RunSummary) (list []ulid.ULID) {
	for _, r := range runs {
		list = append(list, r.RunID)
	}
	return list
}

func TestRuns_PageByPage(t *testing.T) {
	t.Parallel()
	w := setup(t, history.Config{})
	var want []ulid.ULID
	for i := range 5 {
		s := w.run("", w.event("a", fmt.Sprintf(`{"n":%d}`, i)))
		w.ends(s, run.Completed, fmt.Sprintf(`{"num":%d}`, i))
		want = append([]ulid.ULID{s.ID}, want...)
	}
	for _, by := range []ports.RunTime{ports.ByQueued, ports.ByStarted, ports.ByEnded} {
		for _, search := range []string{"", "event.name == \"a\"\n\noutput.num >= 0"} {
			var got []ulid.ULID
			q := history.Query{Search: search, RunList: ports.RunList{Time: by, Limit: 2}}
			for {
				page, err := w.Runs(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, ids(page.Runs)...)
				if !page.More {
					break
				}
				if q.After, err = history.ParseCursor(by, history.Cursor(by, page.Runs[len(page.Runs)-1])); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("by %d, %q: -want +got:\n%s", by, search, diff)
			}
			if n, err := w.CountRuns(t.Context(), q); err != nil || n != 5 {
				t.Errorf("by %d: %d runs counted, %v", by, n, err)
			}
		}
	}
	if cursor, err := history.ParseCursor(ports.ByQueued, ""); cursor != nil || err != nil {
		t.Errorf("no cursor is %v, %v", cursor, err)
	}
	if _, err := history.ParseCursor(ports.ByEnded, "?"); err == nil {
		t.Error("a cursor of nothing is one")
	}
	if _, err := w.Runs(t.Context(), history.Query{}); err == nil {
		t.Error("a page of none")
	}
	if _, err := w.Events(t.Context(), history.EventQuery{}); err == nil {
		t.Error("a page of no events")
	}
}

func TestRuns_Search(t *testing.T) {
	t.Parallel()
	w := setup(t, history.Config{})
	one := w.run("", w.event("a", `{"n":1}`), w.event("b", `{"n":2}`))
	w.ends(one, run.Completed, `"text"`)
	two := w.run("", w.event("a", `{"n":3}`))
	w.ends(two, run.Failed, `{"message":"nope"}`)
	three := w.run("", w.event("c", `{"n":4}`))
	for search, want := range map[string][]ulid.ULID{
		`event.data.n > 2`: {three.ID, two.ID}, `event.data.n == 2`: {one.ID}, `error.message == "nope"`: {two.ID}, `output == "text"`: {one.ID},
		`event.id.startsWith("own-")`: {three.ID, two.ID, one.ID}, `output.num > 1`: nil, `1 == 1`: {three.ID, two.ID, one.ID},
		"event.name == \"a\"\noutput == \"text\"": {one.ID},
	} {
		page, err := w.Runs(t.Context(), history.Query{Search: search, RunList: ports.RunList{Limit: 10}})
		if err != nil {
			t.Errorf("%s: %v", search, err)
		}
		if diff := cmp.Diff(want, ids(page.Runs)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", search, diff)
		}
	}
	var fault *expr.SearchError
	if _, err := w.CountRuns(t.Context(), history.Query{Search: "\nevent.data.n =="}); !errors.As(err, &fault) || fault.Line != 2 {
		t.Errorf("error is %v", err)
	}
}

func TestRuns_SearchIsBounded(t *testing.T) {
	t.Parallel()
	const runs = 501
	for name, cfg := range map[string]history.Config{"rows": {SearchRuns: 500}, "time": {SearchTime: time.Second}} {
		w := setup(t, cfg)
		for range runs {
			w.run("", event.Tracked{InternalID: w.id()})
		}
		if name == "time" {
			w.clock.step = time.Second
		}
		_, err := w.Runs(t.Context(), history.Query{Search: "false", RunList: ports.RunList{Limit: 10}})
		var limit *history.SearchLimitError
		if !errors.As(err, &limit) || limit.Looked != 500 || limit.Found != 0 || !strings.Contains(err.Error(), "narrow the window") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := w.Runs(t.Context(), history.Query{Search: "true", RunList: ports.RunList{Limit: 10}}); err != nil {
			t.Errorf("%s: a page that is full is %v", name, err)
		}
	}
}

func TestTrace_ShowsWhatIsInHand(t *testing.T) {
	t.Parallel()
	w := setup(t, history.Config{})
	s := w.run("", w.event("a", `{}`))
	if err := w.backend.Metadata().Put(t.Context(), s.ID, []metadata.Update{{
		Target: metadata.Target{Attempt: metadata.FinalAttempt}, Kind: "userland.a", Op: metadata.Set, Values: metadata.Values{"a": json.RawMessage("1")},
	}}); err != nil {
		t.Fatal(err)
	}
	outline := func(preview bool) string {
		root, err := w.Trace(t.Context(), s.ID, preview)
		if err != nil {
			t.Fatal(err)
		}
		text := root.Name + " " + string(root.Status)
		for _, child := range root.Children {
			text += ", " + child.Name + " " + string(child.Status)
		}
		for _, m := range root.Metadata {
			text += ", " + m.Kind
		}
		return text
	}
	if got := outline(true); got != "Run QUEUED, userland.a, inngest.usage" {
		t.Errorf("trace is %s", got)
	}
	if _, err := w.backend.Queue().Lease(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := outline(true); got != "Run RUNNING, Execution RUNNING, userland.a, inngest.usage" {
		t.Errorf("trace is %s", got)
	}
	if got := outline(false); got != " RUNNING, execute RUNNING" {
		t.Errorf("legacy trace is %s", got)
	}
	w.ends(s, run.Completed, `{"a":1}`)
	if got := outline(true); got != "Run COMPLETED, userland.a, inngest.usage" {
		t.Errorf("trace is %s", got)
	}
	root, _ := w.Trace(t.Context(), s.ID, true)
	output, err := w.Output(t.Context(), root.Output.String())
	if err != nil || string(output.Data) != `{"a":1}` || !strings.HasPrefix(string(output.Input), `[{"id":"own-`) {
		t.Errorf("output is %+v, %v", output, err)
	}
	shared := *root.Output
	shared.Span = shared.Input
	for input, want := range map[string]bool{shared.Input: true, "": false} { // a row may have an input that the ID does not ask for
		shared.Input = input
		if output, err := w.Output(t.Context(), shared.String()); err != nil || len(output.Input) > 0 != want {
			t.Errorf("output by %+v is %+v, %v", shared, output, err)
		}
	}
	gone := *root.Output
	gone.Span, gone.Input = "gone", "gone too"
	if output, err := w.Output(t.Context(), gone.String()); err != nil || len(output.Data) > 0 || output.Input != nil {
		t.Errorf("output of nothing is %+v, %v", output, err)
	}
	if _, err := w.Output(t.Context(), "?"); err == nil {
		t.Error("an ID of nothing is one")
	}
	if links, err := w.Links(t.Context(), s.ID); err != nil || len(links.Deferred)+len(links.Parents.Runs) > 0 {
		t.Errorf("links are %+v, %v", links, err)
	}
}

func TestTrigger(t *testing.T) {
	t.Parallel()
	w := setup(t, history.Config{})
	a, b := w.event("a", `{}`), w.event("b", `{}`)
	lost := event.Tracked{InternalID: w.id(), Event: event.Event{Name: "lost"}}
	for name, c := range map[string]struct {
		state run.State
		want  history.Trigger
	}{
		"one":   {w.run("", a), history.Trigger{Name: "a", Payloads: []event.Tracked{a}}},
		"batch": {w.run("", a, b), history.Trigger{Payloads: []event.Tracked{a, b}}},
		"same":  {w.run("", a, a), history.Trigger{Name: "a", Payloads: []event.Tracked{a, a}}},
		"cron":  {w.run("* * * * *", a), history.Trigger{Cron: "* * * * *", Payloads: []event.Tracked{a}}},
		"lost":  {w.run("", lost), history.Trigger{}},
	} {
		got, err := w.Trigger(t.Context(), c.state.ID)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(got.Events) != len(c.state.Events) || got.At.IsZero() || got.Batch.IsZero() != (len(c.state.Events) < 2) {
			t.Errorf("%s: %+v", name, got)
		}
		got.Events, got.At, got.Batch = nil, time.Time{}, ulid.ULID{}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	w := setup(t, history.Config{})
	a, b := w.event("a", `{}`), w.event("b", `{}`)
	s := w.run("", a, b)
	page, err := w.Events(t.Context(), history.EventQuery{EventList: ports.EventList{Limit: 1}})
	if err != nil || len(page.Events) != 1 || page.Events[0].Name != "b" || !page.More {
		t.Errorf("page is %+v, %v", page, err)
	}
	if n, err := w.CountEvents(t.Context(), history.EventQuery{}); err != nil || n != 2 {
		t.Errorf("%d events, %v", n, err)
	}
	if e, err := w.Event(t.Context(), a.InternalID); err != nil || e.Name != "a" {
		t.Errorf("event is %+v, %v", e, err)
	}
	if runs, err := w.RunsOfEvents(t.Context(), []ulid.ULID{b.InternalID}); err != nil || len(runs[b.InternalID]) != 1 || runs[b.InternalID][0].RunID != s.ID {
		t.Errorf("runs are %+v, %v", runs, err)
	}
}

func TestEvents_Search(t *testing.T) {
	t.Parallel()
	w := setup(t, history.Config{})
	var even []ulid.ULID
	for n := range 1205 {
		if e := w.event("a", fmt.Sprintf(`{"n":%d,"even":%t}`, n, n%2 == 0)); n%2 == 0 {
			even = append([]ulid.ULID{e.InternalID}, even...)
		}
	}
	w.event("b", `{"n":2}`)
	q := history.EventQuery{Search: "event.name == \"a\"\n\nevent.data.even", EventList: ports.EventList{Limit: 201}}
	var got []ulid.ULID
	for more := true; more; {
		page, err := w.Events(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			got = append(got, e.InternalID)
		}
		if more = page.More; more {
			q.Cursor = got[len(got)-1]
		}
	}
	if diff := cmp.Diff(even, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if n, err := w.CountEvents(t.Context(), q); err != nil || n != len(even) {
		t.Errorf("%d events counted, %v", n, err)
	}
	for search, want := range map[string]int{"false": 0, "event.data.n == 2": 2, `event.id.startsWith("own-")`: 7, "\n": 7} {
		page, err := w.Events(t.Context(), history.EventQuery{Search: search, EventList: ports.EventList{Limit: 7}})
		if err != nil || len(page.Events) != want {
			t.Errorf("%s: %d events, %v", search, len(page.Events), err)
		}
	}
	var fault *expr.SearchError
	if _, err := w.CountEvents(t.Context(), history.EventQuery{Search: "event.data.n =="}); !errors.As(err, &fault) {
		t.Errorf("error is %v", err)
	}
}

func TestEvents_SearchIsBounded(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]history.Config{"rows": {SearchRuns: 500}, "time": {SearchTime: time.Second}} {
		w := setup(t, cfg)
		for range 501 {
			w.event("a", `{"n":1}`)
		}
		if name == "time" {
			w.clock.step = time.Second
		}
		_, err := w.CountEvents(t.Context(), history.EventQuery{Search: "true"})
		var limit *history.SearchLimitError
		if !errors.As(err, &limit) || limit.Looked != 500 || limit.Found != 500 || !strings.Contains(err.Error(), "looked at 500 events") ||
			!strings.Contains(err.Error(), "or name events") {
			t.Errorf("%s: %v", name, err)
		}
		if page, err := w.Events(t.Context(), history.EventQuery{Search: "true", EventList: ports.EventList{Limit: 10}}); err != nil || !page.More {
			t.Errorf("%s: a page that is full is %v, %v", name, page.More, err)
		}
	}
}

func TestErrors_NameWhatIsMissing(t *testing.T) {
	t.Parallel()
	w := setup(t, history.Config{})
	id := w.id()
	_, runErr := w.Run(t.Context(), id)
	_, eventErr := w.Event(t.Context(), id)
	_, triggerErr := w.Trigger(t.Context(), id)
	_, traceErr := w.Trace(t.Context(), id, true)
	_, legacyErr := w.Trace(t.Context(), id, false)
	for want, err := range map[string]error{
		"run not found: ": runErr, "event not found: ": eventErr, "trace of run not found: ": traceErr,
	} {
		var missing *history.NotFoundError
		if !errors.As(err, &missing) || !errors.Is(err, ports.ErrNotFound) || err.Error() != want+id.String() {
			t.Errorf("%v", err)
		}
	}
	if !errors.Is(triggerErr, ports.ErrNotFound) || !errors.Is(legacyErr, ports.ErrNotFound) {
		t.Errorf("%v, %v", triggerErr, legacyErr)
	}
}

// TestTrace_ShowsTheCallAfterASleep: it is the job of the sleep that makes it.
func TestTrace_ShowsTheCallAfterASleep(t *testing.T) {
	t.Parallel()
	w := setup(t, history.Config{})
	s := w.run("", w.event("a", `{}`))
	lease, err := w.backend.Queue().Lease(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	apply := func(in run.Input) {
		t.Helper()
		next, err := run.Advance(s, in)
		if err != nil {
			t.Fatal(err)
		}
		if s, err = w.backend.Commit(t.Context(), ports.Commit{State: s, Lease: lease, Transition: next, Spans: trace.Advanced(s, in, next, nil)}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when, want string) {
		t.Helper()
		root, err := w.Trace(t.Context(), s.ID, true)
		if err != nil {
			t.Fatal(err)
		}
		text := string(root.Status)
		for _, child := range root.Children {
			text += ", " + child.Name + " " + string(child.Status)
		}
		if text != want {
			t.Errorf("%s: trace is %s, want %s", when, text, want)
		}
	}
	apply(run.Replied{
		Job: lease.Job, CalledAt: w.clock.now, Now: w.clock.now, Limits: run.DefaultLimits,
		Reply: sdk.Reply{Status: 206, Ops: []sdk.Op{{Op: sdk.OpSleep, ID: "nap", Name: "1s", DisplayName: "nap"}}},
	})
	check("asleep", "RUNNING, nap WAITING")
	w.clock.now = w.clock.now.Add(time.Second)
	if lease, err = w.backend.Queue().Lease(t.Context()); err != nil {
		t.Fatal(err)
	}
	apply(run.Due{Job: lease.Job, Now: w.clock.now, Limits: run.DefaultLimits})
	check("called", "RUNNING, nap COMPLETED, Execution RUNNING")
}
