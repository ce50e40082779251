package embedded

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/oklog/ulid/v2"

	past "github.com/ingothq/ingot/internal/app/history"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// answer is what v1.43.0 answered to a query, on the recorded database.
type answer struct {
	Name      string
	Variables map[string]any
	Data      json.RawMessage
}

func answers(t *testing.T) []answer {
	t.Helper()
	packed, err := os.Open("testdata/v1.43.0.graphql.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	var list []answer
	if err := json.NewDecoder(unpacked).Decode(&list); err != nil {
		t.Fatal(err)
	}
	return list
}

// data is an answer's field.
func data[T any](t *testing.T, a answer, field string) T {
	t.Helper()
	var fields map[string]json.RawMessage
	var value T
	if err := json.Unmarshal(a.Data, &fields); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(fields[field], &value); err != nil {
		t.Fatalf("%s: %v", a.Name, err)
	}
	return value
}

func reader(t *testing.T) *past.Reader {
	t.Helper()
	dir, _ := recorded(t)
	e := mustOpen(t, Config{Dir: dir})
	return past.New(past.Deps{
		History: e.History(), Store: e.Store(), Queue: e.Queue(), Metadata: e.Metadata(), Catalog: e.Catalog(), Clock: e.cfg.Clock,
	}, past.Config{})
}

// theirs is a node of the reference.
type theirs struct {
	Name, Status             string
	StepOp, StepID, StepType string
	Attempts                 int
	Duration                 *int64
	QueuedAt                 time.Time
	ScheduledAt, StartedAt   *time.Time
	EndedAt                  *time.Time
	OutputID                 string
	SpanID, ParentSpanID     string
	SkipReason               string
	SkipExistingRunID        string
	StepInfo                 map[string]any
	Response                 *struct {
		StatusCode int
		Headers    json.RawMessage
	}
	Metadata []struct {
		Scope, Kind string
		Values      json.RawMessage
	}
	ChildrenSpans []theirs
}

// facts are what is compared of a node: what the reference says in one or another of the two nodes that it has for a thing.
type facts struct {
	Status, Op, StepID, Output string
	Attempts                   int
	Duration                   int64
	Started, Ended             string
	Info                       string
	Code                       int
	Kinds                      []string
	Attempt                    []facts
}

func stamp(at *time.Time) string {
	if at == nil || at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339Nano)
}

func attachedKinds(n theirs) []string {
	var list []string
	for _, m := range n.Metadata {
		list = append(list, m.Scope+" "+m.Kind)
	}
	return list
}

// merged are the facts of one thing: row is the node that has times of its own, group the other one.
func merged(row theirs, group *theirs) facts {
	f := facts{Status: row.Status, Op: row.StepOp, StepID: row.StepID, Attempts: row.Attempts, Started: stamp(row.StartedAt), Ended: stamp(row.EndedAt)}
	if row.Duration != nil {
		f.Duration = *row.Duration
	}
	if id, err := trace.ParseOutputID(row.OutputID); err == nil {
		f.Output = id.Span
	}
	if info, err := json.Marshal(row.StepInfo); err == nil && row.StepInfo != nil {
		f.Info = string(info)
	}
	from := row
	if group != nil {
		from = *group
	}
	f.Kinds = append(attachedKinds(from), attachedKinds(row)...)
	slices.Sort(f.Kinds)
	f.Kinds = slices.Compact(f.Kinds)
	if from.Response != nil {
		f.Code = from.Response.StatusCode
	}
	return f
}

// expectedFacts merges the nodes that the reference has below a run, by step, in the order in which the steps began.
func expectedFacts(root theirs) map[string]facts {
	things := map[string]facts{}
	rows, groups := map[string][]theirs{}, map[string]*theirs{}
	for i, n := range root.ChildrenSpans {
		key := n.StepID
		if key == "" {
			key = "final"
		}
		if n.Duration == nil && (n.StepOp == "" || n.StepOp == "RUN") {
			groups[key] = &root.ChildrenSpans[i]
			continue
		}
		rows[key] = append(rows[key], n)
	}
	for key, list := range rows {
		slices.SortFunc(list, func(a, b theirs) int { return a.Attempts - b.Attempts })
		group, last := groups[key], list[len(list)-1]
		if len(list) == 1 {
			if group != nil && len(group.ChildrenSpans) == 1 {
				group = &group.ChildrenSpans[0]
			}
			things[key] = merged(last, group)
			continue
		}
		whole := merged(last, nil)
		whole.Kinds, whole.Started, whole.Code = nil, stamp(list[0].StartedAt), 0
		whole.Duration = last.EndedAt.Sub(*list[0].StartedAt).Milliseconds()
		for i, row := range list {
			whole.Attempt = append(whole.Attempt, merged(row, &group.ChildrenSpans[i]))
		}
		things[key] = whole
	}
	return things
}

// ourFacts are those of our node.
func ourFacts(n *trace.Node) facts {
	f := facts{
		Status: string(n.Status), Op: string(n.Op), StepID: n.StepID, Attempts: n.Attempts, Duration: n.Duration.Milliseconds(),
		Started: stamp(&n.StartedAt), Ended: stamp(&n.EndedAt), Info: infoText(n.Info),
	}
	if n.Output != nil {
		f.Output = n.Output.Span
	}
	if n.Response != nil {
		f.Code = n.Response.Status
	}
	for _, m := range n.Metadata {
		f.Kinds = append(f.Kinds, m.Scope+" "+m.Kind)
	}
	slices.Sort(f.Kinds)
	for _, child := range n.Children {
		f.Attempt = append(f.Attempt, ourFacts(child))
	}
	return f
}

// infoText is what GraphQL shows of a step's info.
func infoText(info trace.StepInfo) string {
	shown := map[string]any{}
	at := func(when time.Time) any { return stamp(&when) }
	id := func(id ulid.ULID) any {
		if id.IsZero() {
			return nil
		}
		return id
	}
	flag := func(value *bool) any {
		if value == nil {
			return nil
		}
		return *value
	}
	text := func(text string) any {
		if text == "" {
			return nil
		}
		return text
	}
	switch info := info.(type) {
	case nil:
		return ""
	case trace.RunInfo:
		shown["__typename"], shown["type"] = "RunStepInfo", text(info.Type)
	case trace.SleepInfo:
		shown["__typename"], shown["sleepUntil"] = "SleepStepInfo", at(info.Until)
	case trace.EventInfo:
		shown["__typename"], shown["eventName"], shown["expression"], shown["timeout"] = "WaitForEventStepInfo", info.Event, text(info.Expression), at(info.Timeout)
		shown["foundEventID"], shown["timedOut"] = id(info.Found), flag(info.TimedOut)
	case trace.InvokeInfo:
		shown["__typename"], shown["triggeringEventID"], shown["functionID"], shown["timeout"] = "InvokeStepInfo", info.Event, info.Function, at(info.Timeout)
		shown["returnEventID"], shown["runID"], shown["timedOut"] = id(info.Return), id(info.Run), flag(info.TimedOut)
	case trace.SignalInfo:
		shown["__typename"], shown["signal"], shown["timeout"], shown["timedOut"] = "WaitForSignalStepInfo", info.Signal, at(info.Timeout), flag(info.TimedOut)
	}
	list, _ := json.Marshal(shown)
	return string(list)
}

// TestReferenceDatabase_TracesAreTheReferences compares the trees of all recorded runs, each step once.
func TestReferenceDatabase_TracesAreTheReferences(t *testing.T) {
	t.Parallel()
	r := reader(t)
	compared := 0
	for _, a := range answers(t) {
		if !strings.HasPrefix(a.Name, "run 01") {
			continue
		}
		want := data[struct {
			ID     ulid.ULID
			Status string
			Trace  theirs
		}](t, a, "run")
		root, err := r.Trace(t.Context(), want.ID, true)
		if err != nil {
			t.Errorf("%s: %v", a.Name, err)
			continue
		}
		compared++
		got := map[string]facts{}
		for _, child := range root.Children {
			key := child.StepID
			if key == "" {
				key = "final"
			}
			if _, twice := got[key]; twice {
				t.Errorf("%s: %s is in the tree twice", a.Name, key)
			}
			got[key] = ourFacts(child)
		}
		if diff := cmp.Diff(expectedFacts(want.Trace), got, deliberate(a.Name)); diff != "" {
			t.Errorf("%s: -reference +own:\n%s", a.Name, diff)
		}
		if diff := cmp.Diff(rootFacts(want.Trace), rootFactsOf(root)); diff != "" {
			t.Errorf("%s: root -reference +own:\n%s", a.Name, diff)
		}
	}
	if compared != 24 {
		t.Errorf("%d traces compared", compared)
	}
}

// deliberate are differences that are better on purpose: the call that completes a run by an op shows what is attached to it, and a sleep in
// which a run was cancelled is cancelled with it.
func deliberate(name string) cmp.Option {
	cancelled := cmp.FilterValues(func(reference, own facts) bool {
		if reference.Status == "CANCELLED" { // filters do not know which is which
			reference, own = own, reference
		}
		return reference.Status == "WAITING" && reference.Ended == "" && own.Status == "CANCELLED" && own.Ended != "" && reference.Info == own.Info
	}, cmp.Ignore())
	attached := cmp.FilterPath(func(p cmp.Path) bool {
		step, ok := p.Index(1).(cmp.MapIndex)
		return ok && name == "run 01M85B89TYKEV9A8JW6BQEB362" && step.Key().String() == "final" && p.Last().String() == ".Kinds"
	}, cmp.Ignore())
	return cmp.Options{attached, cancelled}
}

func rootFacts(n theirs) []any {
	f := merged(n, nil)
	f.Op, f.StepID, f.Info = "", "", ""
	if n.Response != nil && n.Response.StatusCode == 0 {
		f.Code = 0
	}
	in := ""
	if id, err := trace.ParseOutputID(n.OutputID); err == nil {
		in = id.Input
	}
	return []any{f, in, n.SpanID, n.ParentSpanID, stamp(&n.QueuedAt), stamp(n.ScheduledAt), n.SkipReason, n.SkipExistingRunID}
}

func rootFactsOf(n *trace.Node) []any {
	f := ourFacts(n)
	f.Attempt = nil
	in := ""
	if n.Output != nil {
		in = n.Output.Input
	}
	return []any{f, in, n.ID, n.Parent, stamp(&n.QueuedAt), stamp(&n.ScheduledAt), n.SkipReason, n.SkipExisting}
}

// TestReferenceDatabase_RunsAreTheReferences compares lists, single runs, triggers, outputs and events.
func TestReferenceDatabase_RunsAreTheReferences(t *testing.T) {
	t.Parallel()
	r := reader(t)
	type node struct {
		ID, Status, Cursor   string
		QueuedAt             time.Time
		StartedAt, EndedAt   *time.Time
		AppID, FunctionID    string
		TriggerIDs           []string
		IsBatch              bool
		CronSchedule, Output string
		IsDeferred           bool
	}
	type connection struct {
		Edges []struct {
			Node   node
			Cursor string
		}
		TotalCount int
	}
	statuses := map[string]ports.RunStatus{
		"COMPLETED": ports.RunCompleted, "FAILED": ports.RunFailed, "CANCELLED": ports.RunCancelled, "RUNNING": ports.RunRunning, "SKIPPED": ports.RunSkipped,
	}
	for _, a := range answers(t) {
		switch {
		case strings.HasPrefix(a.Name, "runs by") || strings.HasPrefix(a.Name, "runs with"):
			want := data[connection](t, a, "runs")
			q := past.Query{RunList: ports.RunList{Limit: 100, Ascending: !strings.HasSuffix(a.Name, "DESC")}}
			if strings.Contains(a.Name, "ENDED_AT") {
				q.Time = ports.ByEnded
			}
			if status, ok := statuses[strings.TrimPrefix(a.Name, "runs with status ")]; ok {
				q.Statuses = []ports.RunStatus{status}
			}
			page, err := r.Runs(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			count, err := r.CountRuns(t.Context(), q)
			if err != nil || count != len(page.Runs) {
				t.Errorf("%s: %d runs counted, %v", a.Name, count, err)
			}
			var wanted, got []string
			for _, e := range want.Edges {
				// The reference lists runs in progress as if they had ended, and gives cancelled ones another end.
				if q.Time != ports.ByEnded || e.Node.Status == "COMPLETED" || e.Node.Status == "FAILED" {
					wanted = append(wanted, e.Node.ID+" "+e.Node.Status)
				}
			}
			for _, s := range page.Runs {
				if q.Time != ports.ByEnded || s.Status != ports.RunCancelled {
					got = append(got, s.RunID.String()+" "+strings.ToUpper(string(s.Status)))
				}
			}
			if diff := cmp.Diff(wanted, got); diff != "" {
				t.Errorf("%s: -reference +own:\n%s", a.Name, diff)
			}
		case strings.HasPrefix(a.Name, "run 01"):
			want := data[node](t, a, "run")
			s, err := r.Run(t.Context(), ulid.MustParse(want.ID))
			if err != nil {
				t.Fatal(err)
			}
			var triggers []string
			for _, id := range s.Events {
				triggers = append(triggers, id.String())
			}
			got := node{
				ID: s.RunID.String(), Status: strings.ToUpper(string(s.Status)), QueuedAt: s.QueuedAt, AppID: s.AppID.String(), FunctionID: s.FunctionID.String(),
				TriggerIDs: triggers, IsBatch: !s.Batch.IsZero(), CronSchedule: s.Cron, Output: string(s.Output),
			}
			if want.Status == "SKIPPED" {
				want.StartedAt = nil // it has not
			}
			if stamp(want.StartedAt) != stamp(&s.StartedAt) {
				t.Errorf("%s: started at %s, not %s", a.Name, stamp(&s.StartedAt), stamp(want.StartedAt))
			}
			want.StartedAt, want.EndedAt = nil, nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: -reference +own:\n%s", a.Name, diff)
			}
		case strings.HasPrefix(a.Name, "trigger "):
			compareTrigger(t, r, a)
		case strings.HasPrefix(a.Name, "output "):
			compareOutput(t, r, a)
		}
	}
}

func compareTrigger(t *testing.T, r *past.Reader, a answer) {
	t.Helper()
	type trigger struct {
		EventName, Cron, BatchID string
		IDs, Payloads            []string
		Timestamp                string
		IsBatch                  bool
	}
	want := data[trigger](t, a, "runTrigger")
	found, err := r.Trigger(t.Context(), ulid.MustParse(strings.TrimPrefix(a.Name, "trigger ")))
	if err != nil {
		t.Errorf("%s: %v", a.Name, err)
		return
	}
	got := trigger{EventName: found.Name, Cron: found.Cron, Timestamp: stamp(&found.At), IsBatch: !found.Batch.IsZero()}
	if got.IsBatch {
		got.BatchID = found.Batch.String()
	}
	for _, id := range found.Events {
		got.IDs = append(got.IDs, id.String())
	}
	if len(found.Payloads) != len(want.Payloads) {
		t.Errorf("%s: %d payloads, not %d", a.Name, len(found.Payloads), len(want.Payloads))
	}
	want.Payloads = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: -reference +own:\n%s", a.Name, diff)
	}
}

func compareOutput(t *testing.T, r *past.Reader, a answer) {
	t.Helper()
	type failure struct {
		Message     string
		Name, Stack *string
	}
	type output struct {
		Input, Data string
		Error       *failure
	}
	want := data[output](t, a, "runTraceSpanOutputByID")
	found, err := r.Output(t.Context(), a.Variables["o"].(string))
	if err != nil {
		t.Errorf("%s: %v", a.Name, err)
		return
	}
	// The reference writes results anew, with sorted members; here they are as the app sent them.
	got := output{Input: string(found.Input), Data: sortedJSON(string(found.Data))}
	want.Data = sortedJSON(want.Data)
	if found.Error != nil {
		got.Error = &failure{found.Error.Message, found.Error.Name, found.Error.Stack}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: -reference +own:\n%s", a.Name, diff)
	}
}

// sortedJSON is JSON with sorted members; what is none stays.
func sortedJSON(text string) string {
	var value any
	if json.Unmarshal([]byte(text), &value) != nil {
		return text
	}
	sorted, _ := json.Marshal(value)
	return string(sorted)
}

// TestReferenceDatabase_EventsAreTheReferences compares the lists of events with the runs of each.
func TestReferenceDatabase_EventsAreTheReferences(t *testing.T) {
	t.Parallel()
	r := reader(t)
	for _, a := range answers(t) {
		if !strings.HasPrefix(a.Name, "eventsV2") {
			continue
		}
		type run struct{ ID, Status string }
		want := data[struct {
			TotalCount int
			Edges      []struct {
				Node struct {
					ID, Name string
					Runs     []run
				}
			}
		}](t, a, "eventsV2")
		list := ports.EventList{Internal: !strings.HasSuffix(a.Name, "only"), Limit: 100}
		page, err := r.Events(t.Context(), list)
		if err != nil {
			t.Fatal(err)
		}
		count, err := r.CountEvents(t.Context(), list)
		if err != nil || count != want.TotalCount || count != len(page.Events) || page.More {
			t.Errorf("%s: %d events are counted and %d listed, not %d: %v", a.Name, count, len(page.Events), want.TotalCount, err)
		}
		var ids []ulid.ULID
		for _, e := range page.Events {
			ids = append(ids, e.InternalID)
		}
		runs, err := r.RunsOfEvents(t.Context(), ids)
		if err != nil {
			t.Fatal(err)
		}
		for i, edge := range want.Edges {
			if e := page.Events[i]; e.InternalID.String() != edge.Node.ID || e.Name != edge.Node.Name {
				t.Fatalf("%s: event %d is %s, not %s", a.Name, i, e.InternalID, edge.Node.ID)
			}
			var got []run
			for _, s := range runs[ids[i]] {
				got = append(got, run{s.RunID.String(), strings.ToUpper(string(s.Status))})
			}
			byID := func(a, b run) int { return strings.Compare(a.ID, b.ID) }
			slices.SortFunc(edge.Node.Runs, byID)
			if diff := cmp.Diff(edge.Node.Runs, got, cmpopts.EquateEmpty()); diff != "" && list.Internal {
				t.Errorf("%s: runs of %s: -reference +own:\n%s", a.Name, edge.Node.ID, diff)
			}
		}
	}
}
