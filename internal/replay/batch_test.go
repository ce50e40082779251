package replay

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// recordedBatches are the ids of the recorded batches, by recording. No message of a recording tells them; the reference
// told them over GraphQL. The ids of a batch's jobs follow from them.
var recordedBatches = map[string]string{
	"22-batch.go":    "01M85ASFTARVMSB2GVR5JDE57M",
	"22-batch.ts3":   "01M85ASMFS3NNKZ1TQQV7KHY7X",
	"22-batch.ts4":   "01M85ASN7FW89YPW0D5GZRPXPJ",
	"22-batch.ts4nc": "01M85B0TFWAWR593XE80W2FT4G",
}

// batch is the recorded batch of events that started a run. The reference appends the events that it was sent at the same
// time in any order, so the server's batch must hold the same events, and may hold them in an order of its own.
type batch struct {
	id       string
	recorded []string // ids of the events, as recorded and in the recorded order
	order    []string // ids of the events in the server's order, once its first call has told them
}

// batchOf is the batch of a recorded call, nil for a run of one event.
func batchOf(name string, members map[string]json.RawMessage) *batch {
	id, ok := recordedBatches[name]
	if !ok {
		return nil
	}
	return &batch{id: id, recorded: eventsOf(members)}
}

// eventsOf are the ids of a call's events, in order.
func eventsOf(members map[string]json.RawMessage) []string {
	var events []struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(members["events"], &events)
	var ids []string
	for _, event := range events {
		ids = append(ids, event.ID)
	}
	return ids
}

// source is what the key of the run's jobs is made of (spec 02 §3).
func (b *batch) source(functionID string) string { return functionID + "-" + b.id }

// holds is true when the event is one of the batch, whatever its place.
func (b *batch) holds(rw *rewriter, eventID string) bool {
	return b != nil && slices.ContainsFunc(b.recorded, func(id string) bool { return rw.text(id) == eventID })
}

// arrange puts the wanted events of a call in the server's order, and the first of them in the place of the event. An order
// that is none of these events is left for the comparison to find.
func (b *batch) arrange(want map[string]any) {
	events, _ := want["events"].([]any)
	id := func(event any) string {
		members, _ := event.(map[string]any)
		text, _ := members["id"].(string)
		return text
	}
	var arranged []any
	for _, next := range b.order {
		if i := slices.IndexFunc(events, func(event any) bool { return id(event) == next }); i >= 0 {
			arranged = append(arranged, events[i])
		}
	}
	if len(arranged) == len(events) && len(events) > 0 {
		want["events"], want["event"] = arranged, arranged[0]
	}
}

// stored puts the server's first event in the place of the recorded one where a read tells which event the run is of: the
// runs of an event, and the run itself.
func (b *batch) stored(rw *rewriter, path, text string) string {
	if b == nil || len(b.order) == 0 || (!strings.HasSuffix(path, "/runs") && !strings.HasPrefix(path, "/v1/runs/")) {
		return text
	}
	recorded, today := rw.text(b.recorded[0]), b.order[0]
	return strings.NewReplacer(recorded, today, today, recorded).Replace(text)
}

// matchBatch finds the recorded call that the server is making for a batch's run. The key of its jobs is made of the batch's
// id, which is not known before the run has been read, so that jobs are known by what they carry, and must differ from call
// to call.
func (f *functionRun) matchBatch(ctx callContext, target string) *recordedCall {
	used := slices.ContainsFunc(f.calls, func(call *recordedCall) bool { return call.done && call.made.JobID == ctx.JobID })
	for _, call := range f.calls {
		if !call.done && !used && query(call.request.Path, "stepId") == target && call.ctx.Attempt == ctx.Attempt &&
			call.ctx.Generation == ctx.Generation && slices.Equal(call.ctx.Stack.Stack, ctx.Stack.Stack) && ctx.RunID == f.runID {
			call.done = true
			return call
		}
	}
	return nil
}

// checkBatch notes the jobs of an ended run that do not follow from its batch, if the server tells which it was.
func (f *functionRun) checkBatch(run readRun) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.batch == nil || run.BatchID == "" {
		return
	}
	function := f.app.function(f.slug).id
	names := jobNames(function, (&batch{id: run.BatchID}).source(function), f.runID, f.answers)
	for _, call := range f.calls {
		if got := names[call.made.JobID]; call.done && got != call.job {
			f.found = append(f.found, mismatch{where: f.where(call), field: "job", want: call.job, got: "unknown " + call.made.JobID + " " + got})
		}
	}
}

// batches are the recorded batches of a conversation's runs, in the order of the runs.
func (c *conversation) batches() []*batch {
	var all []*batch
	for _, runID := range slices.Sorted(maps.Keys(c.functions)) {
		if b := c.functions[runID].batch; b != nil {
			all = append(all, b)
		}
	}
	return all
}

// otherOrder has the second and the third event of a batch change places, in one call or, for 0, in all.
func otherOrder(only int) func(int, *http.Request, string) string {
	events := regexp.MustCompile(`("events":\[\{.*?\}),(\{"data".*?\}),(\{"data".*?\})\]`)
	return func(call int, _ *http.Request, body string) string {
		if only != 0 && call != only {
			return body
		}
		return events.ReplaceAllString(body, "$1,$3,$2]")
	}
}

// TestReplayOfABatch_InAnyOrder takes the events of a batch in another order than the recorded one, in all calls the same.
func TestReplayOfABatch_InAnyOrder(t *testing.T) {
	t.Parallel()
	for _, lane := range []string{"go", "ts3", "ts4", "ts4nc"} {
		t.Run(lane, func(t *testing.T) {
			t.Parallel()
			m := newMirror(t, "22-batch."+lane)
			changed := false
			m.change = func(call int, r *http.Request, body string) string {
				other := otherOrder(0)(call, r, body)
				changed = changed || other != body
				return other
			}
			for _, found := range m.conv.replay(t.Context()) {
				t.Errorf("%s", found)
			}
			if !changed {
				t.Error("no order was changed")
			}
		})
	}
}

// TestBatchStored has reads name the server's first event, not the recorded one.
func TestBatchStored(t *testing.T) {
	t.Parallel()
	rec := load(t, "22-batch.ts3")
	rw, err := newRewriter(rec, "127.0.0.1:1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b := &batch{recorded: []string{"A", "B"}, order: []string{"B", "A"}}
	for path, want := range map[string]string{"/v1/events/A": "A B", "/v1/events/A/runs": "B A", "/v1/runs/R": "B A"} {
		if got := b.stored(rw, path, "A B"); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

// TestCheckBatch proves on a recording that the jobs of a run are of its batch and of no other.
func TestCheckBatch(t *testing.T) {
	t.Parallel()
	rec := load(t, "22-batch.ts3")
	app := &fakeApp{t: t, addr: "127.0.0.1:" + recordedPorts[rec.lane()], functions: map[string][]*functionRun{}, known: map[string]registered{}}
	load(t, "01-registration."+rec.lane()).all(func(one *exchange) {
		if strings.HasPrefix(one.request.Path, "/fn/register") {
			if err := app.learn(one.request.Body); err != nil {
				t.Fatal(err)
			}
		}
	})
	conv, err := newConversation(app, rec)
	if err != nil {
		t.Fatal(err)
	}
	for _, function := range conv.functions {
		for _, call := range function.calls {
			call.made, call.done = call.ctx, true
		}
		function.runID = function.calls[0].ctx.RunID
		function.checkBatch(readRun{BatchID: function.batch.id})
		if len(function.found) > 0 {
			t.Errorf("jobs of the recorded batch: %v", function.found)
		}
		function.checkBatch(readRun{BatchID: "01M85ASFTARVMSB2GVR5JDE57M"})
		if len(function.found) != len(function.calls) {
			t.Errorf("jobs of another batch: %v", function.found)
		}
	}
}
