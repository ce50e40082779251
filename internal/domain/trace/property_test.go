package trace_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/domain/trace"
)

// someReply draws an answer, sensible or not.
func someReply(t *rapid.T) sdk.Reply {
	switch rapid.IntRange(0, 12).Draw(t, "kind") {
	case 0:
		return sdk.Reply{Status: 500, Failure: &sdk.Failure{Text: "broken", NoRetry: rapid.Bool().Draw(t, "no retry")}}
	case 1:
		return sdk.Reply{Status: 200, FromSDK: true, Output: json.RawMessage(`{"a":1}`)}
	}
	kinds := []sdk.Opcode{
		sdk.OpNone, sdk.OpStep, sdk.OpStepRun, sdk.OpStepRun, sdk.OpStepError, sdk.OpStepFailed, sdk.OpStepPlanned, sdk.OpStepPlanned, sdk.OpSleep, sdk.OpStepNotFound,
		sdk.OpDiscoveryRequest, sdk.OpWaitForEvent, sdk.OpWaitForSignal, sdk.OpInvokeFunction, sdk.OpGateway, sdk.OpAIGateway, sdk.OpDeferAdd, sdk.OpDeferAbort,
	}
	list := make([]sdk.Op, rapid.IntRange(1, 4).Draw(t, "ops"))
	for i := range list {
		list[i] = sdk.Op{
			Op: rapid.SampledFrom(kinds).Draw(t, "op"), ID: fmt.Sprint(rapid.IntRange(0, 8).Draw(t, "id")), Name: rapid.SampledFrom([]string{"1s", "", "junk"}).Draw(t, "name"),
			Opts: json.RawMessage(rapid.SampledFrom([]string{
				`{"event":"x","timeout":"1h","if":"async.data.a == 1"}`, `{"signal":"s","conflict":"replace"}`, `{"timeout":"junk"}`, `[]`,
				`{"function_id":"f","payload":{"data":{"a":1}}}`, `{"fn_slug":"f","input":{"a":1}}`, `{"target_hashed_id":"1"}`, `{"type":"step.ai.wrap","input":[1]}`,
			}).Draw(t, "opts")),
			Data: json.RawMessage(rapid.SampledFrom([]string{`1`, `{"a":"b"}`, `null`}).Draw(t, "data")), Mode: rapid.SampledFrom([]string{"", "wait", "race"}).Draw(t, "mode"),
		}
		if rapid.Bool().Draw(t, "error") {
			list[i].Error = &sdk.OpError{Message: "x", NoRetry: rapid.Bool().Draw(t, "final")}
		}
	}
	return sdk.Reply{Status: 206, FromSDK: true, RequestVersion: rapid.IntRange(0, 2).Draw(t, "version"), Ops: list}
}

// player plays a random run and keeps its rows.
type player struct {
	t     *rapid.T
	state run.State
	jobs  map[string]run.Job
	rows  []trace.Span
	now   time.Time
	end   *run.Finish
	saved map[string]bool
}

func (p *player) do(job run.Job, in run.Input) run.Transition {
	t, err := run.Advance(p.state, in)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, step := range t.Steps {
		p.saved[step.ID] = true
	}
	rows := trace.Advanced(p.state, in, t, nil)
	if diff := cmp.Diff(rows, trace.Advanced(p.state, in, t, nil)); diff != "" {
		p.t.Fatalf("the same transition twice: %s", diff)
	}
	p.rows = append(p.rows, rows...)
	p.state, p.end = p.state.Apply(job, t), t.Finish
	switch t.Current.Fate {
	case run.FateDone:
		delete(p.jobs, job.ID)
	case run.FateRetry:
		job.Attempt, job.At = t.Current.Attempt, t.Current.At
		p.jobs[job.ID] = job
	case run.FateKeep, run.FateNone:
	}
	for _, id := range t.DropJobs {
		delete(p.jobs, id)
	}
	for _, next := range t.Jobs {
		p.jobs[next.ID] = next
	}
	return t
}

// wake ends one of the waits of the run.
func (p *player) wake() {
	byID := func(a, b run.Pause) int { return bytes.Compare(a.ID[:], b.ID[:]) }
	pause := rapid.SampledFrom(slices.SortedFunc(maps.Values(p.state.Pauses), byID)).Draw(p.t, "pause")
	e := event.Tracked{InternalID: ulid.MustNew(ulid.Timestamp(p.now), bytes.NewReader(make([]byte, 10))), ReceivedAt: p.now, Event: event.Event{Name: "x", Data: []byte(`{"result":1}`)}}
	switch {
	case p.now.After(pause.Expires) || slices.Contains(p.state.Consumed, e.InternalID):
	case pause.Kind == run.PauseSignal:
		p.do(run.Job{}, run.Signalled{Signal: pause.Signal, Now: p.now})
	case pause.Kind == run.PauseInvoke:
		p.do(run.Job{}, run.Invoked{Op: pause.Op, Event: e, Now: p.now})
	default:
		p.do(run.Job{}, run.Matched{Pause: pause.ID, Event: e, Now: p.now})
	}
}

// turn does one thing that may happen.
func (p *player) turn() {
	p.now = p.now.Add(time.Duration(rapid.IntRange(0, 2000).Draw(p.t, "ms")) * time.Millisecond)
	if len(p.state.Pauses) > 0 && rapid.IntRange(0, 2).Draw(p.t, "wake") == 0 {
		p.wake()
		return
	}
	if rapid.IntRange(0, 30).Draw(p.t, "cancel") == 0 {
		p.do(run.Job{}, run.CancelRequested{Now: p.now})
		return
	}
	job := p.jobs[rapid.SampledFrom(slices.Sorted(maps.Keys(p.jobs))).Draw(p.t, "job")]
	due := p.do(job, run.Due{Job: job, Now: p.now, Limits: run.DefaultLimits})
	switch {
	case p.end != nil || due.Call == nil:
	case due.Call.Gateway != nil:
		in := run.Gatewayed{Job: job, CalledAt: p.now, Now: p.now, Limits: run.DefaultLimits, Memo: []byte(`{"data":1}`)}
		if rapid.Bool().Draw(p.t, "gateway fails") {
			in.Failure = &sdk.Failure{Text: "broken"}
		}
		p.do(job, in)
	default:
		called := p.now
		p.now = p.now.Add(time.Duration(rapid.IntRange(0, 50).Draw(p.t, "call")) * time.Millisecond)
		p.do(job, run.Replied{Job: job, Reply: someReply(p.t), CalledAt: called, Now: p.now, Limits: run.DefaultLimits, Exchange: run.Exchange{Request: "r"}})
	}
}

// TestAdvanced_TellsEachThingOnce plays random runs. Put together, the rows of a run have one root, with the status that the run
// has, and one row of each step that has a memo; times are in order, and attributes are objects with sorted keys.
func TestAdvanced_TellsEachThingOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		spec := specOf(func(s *run.Spec) {
			s.ID = ulid.MustNew(ulid.Timestamp(at), nil)
			if rapid.Bool().Draw(t, "timeout") {
				s.Timeouts.Finish = time.Minute
			}
		})
		state, jobs := run.New(spec)
		p := &player{t: t, state: state, jobs: map[string]run.Job{jobs[0].ID: jobs[0]}, now: at, rows: trace.Scheduled(trace.Beginning{Spec: spec, Due: jobs[0].At}), saved: map[string]bool{}}
		for range rapid.IntRange(0, 30).Draw(t, "turns") {
			if p.turn(); p.end != nil {
				break
			}
		}
		p.check()
	})
}

func (p *player) check() {
	_, root := trace.RunIDs(p.state.ID)
	want := trace.Queued
	switch {
	case p.end != nil:
		want = trace.Status(p.end.Status)
	case !p.state.StartedAt.IsZero():
		want = trace.Running
	}
	dynamics := map[string]bool{}
	for _, step := range slices.Sorted(maps.Keys(p.saved)) {
		dynamics[trace.StepID(step)], dynamics[trace.SleepID(step)] = true, true
	}
	roots, final := 0, map[string]int{}
	for _, row := range trace.Merge(slices.Clone(p.rows)) {
		if row.End.Before(row.Start) || row.Start.Before(at) || row.End.After(p.now) {
			p.t.Fatalf("times of %+v", row)
		}
		if row.Name == trace.NameExtend {
			p.t.Fatalf("an addition to nothing: %+v", row)
		}
		if row.Parent == trace.NoParent {
			if roots++; row.ID != root || row.Status != want || row.Summary.Status != want || row.Summary.EndedAt.IsZero() != (p.end == nil) {
				p.t.Fatalf("root %+v, %+v of %s", row, row.Summary, want)
			}
		} else if row.Parent != root {
			p.t.Fatalf("parent of %+v", row)
		}
		if row.Name == trace.NameStep && dynamics[row.Dynamic] && row.Status.Ended() {
			final[row.Dynamic]++
		}
		checkAttributes(p.t, row)
	}
	if roots != 1 {
		p.t.Fatalf("%d roots", roots)
	}
	for step := range p.saved {
		if n := final[trace.StepID(step)] + final[trace.SleepID(step)]; n != 1 {
			p.t.Fatalf("%d rows of step %s, which has a memo", n, step)
		}
	}
}

func checkAttributes(t *rapid.T, row trace.Span) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(row.Attributes, &object); err != nil {
		t.Fatalf("attributes %s: %v", row.Attributes, err)
	}
	if sorted, err := json.Marshal(object); err != nil || string(sorted) != string(row.Attributes) {
		t.Fatalf("attributes are not sorted: %s", row.Attributes)
	}
	if status := string(object[trace.KeyStatus]); row.Status != "" && status != `"`+string(row.Status)+`"` {
		t.Fatalf("status %s in attributes of %+v", status, row)
	}
	if row.Output != nil && !json.Valid(row.Output) || row.Input != nil && !json.Valid(row.Input) {
		t.Fatalf("payloads of %+v", row)
	}
}
