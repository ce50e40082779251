package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// conversation is a recording while it is replayed.
type conversation struct {
	rec       *recording
	app       *fakeApp
	rw        *rewriter
	functions map[string]*functionRun // by recorded run id
	noTS      map[string]bool

	provided []*provided
	hurry    bool // nothing waits for the other side to act on what it got, which the mirror does at once
	twice    bool // the other side has each step twice in its traces, as the reference

	mu    sync.Mutex
	found []mismatch
}

// TestConversations replays each recorded conversation. Those of a lane run at the same time against one server, as most of
// them do nothing but wait for a timer.
func TestConversations(t *testing.T) {
	t.Parallel()
	for _, lane := range []string{"go", "ts3", "ts4", "ts4nc"} {
		t.Run(lane, func(t *testing.T) {
			t.Parallel()
			app := newFakeApp(t, startServer(t, "--no-poll"))
			app.register(t, lane)
			results := map[string]chan []mismatch{}
			for _, name := range conversations(lane) {
				conv, err := newConversation(app, load(t, name))
				if err != nil {
					t.Fatal(err)
				}
				result := make(chan []mismatch, 1)
				results[name] = result
				go func() { result <- conv.replay(t.Context()) }()
			}
			for _, name := range conversations(lane) {
				t.Run(name, func(t *testing.T) { judge(t, name, <-results[name]) })
			}
			for _, stray := range app.strays {
				t.Errorf("the app was asked for what it does not have: %s", stray)
			}
		})
	}
}

// TestBackoff replays the retries without Retry-After on a server with a constant retry interval: the recorded waits, 15 to
// 45 seconds, are a table of the domain with its own test.
func TestBackoff(t *testing.T) {
	t.Parallel()
	for _, name := range backoffs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec := load(t, name)
			app := newFakeApp(t, startServer(t, "--no-poll", "--retry-interval", "1"))
			app.register(t, rec.lane())
			conv, err := newConversation(app, rec)
			if err != nil {
				t.Fatal(err)
			}
			judge(t, conv.rec.name, conv.replay(t.Context()))
		})
	}
}

// register sends the recorded registrations of a lane's main and streaming app.
func (a *fakeApp) register(t *testing.T, lane string) {
	t.Helper()
	rec := load(t, "01-registration."+lane)
	rw, err := newRewriter(rec, a.addr, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	last := map[string]string{}
	rec.all(func(one *exchange) {
		if strings.HasPrefix(one.request.Path, "/fn/register") {
			last[appPath(one.request.Body)] = rw.text(one.request.Body)
		}
	})
	for _, path := range []string{"/api/inngest", "/api/stream"} {
		body := last[path]
		if err := a.learn(body); err != nil {
			t.Fatalf("registration of %s: %v", path, err)
		}
		got, err := ask(t.Context(), a.srv.addr, http.MethodPost, "/fn/register", headerList{{"Content-Type", "application/json"}}, &body)
		if err != nil || got.status != http.StatusOK {
			t.Fatalf("register %s: status %d, body %s, error %v", path, got.status, got.body, err)
		}
	}
}

// appPath is the path of a registration's app.
func appPath(body string) string {
	var sent struct {
		URL string `json:"url"`
	}
	if json.Unmarshal([]byte(body), &sent) != nil {
		return ""
	}
	_, path, _ := strings.Cut(strings.TrimPrefix(sent.URL, "http://"), "/")
	return "/" + path
}

// replay plays the recording and returns all differences.
func (c *conversation) replay(ctx context.Context) []mismatch {
	c.play(ctx)
	c.finish(ctx)
	reads := c.compareReads(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	found := slices.Clone(c.found)
	for _, runID := range slices.Sorted(maps.Keys(c.functions)) {
		found = append(found, c.functions[runID].found...)
	}
	for _, one := range c.provided {
		found = append(found, one.result()...)
	}
	return append(found, reads...)
}

func newConversation(app *fakeApp, rec *recording) (*conversation, error) {
	rw, err := newRewriter(rec, app.addr, time.Now())
	if err != nil {
		return nil, fmt.Errorf("recording %s: %w", rec.name, err)
	}
	conv := &conversation{rec: rec, app: app, rw: rw, functions: map[string]*functionRun{}, noTS: map[string]bool{}}
	rec.all(func(one *exchange) {
		for _, name := range eventsWithoutTime(one.request) {
			conv.noTS[name] = true
		}
	})
	var runs []*functionRun
	for _, one := range rec.toApp() {
		ctx, _ := contextOf(one.request.Body)
		function, ok := conv.functions[ctx.RunID]
		if !ok {
			function = &functionRun{
				app: app, rec: rec, rw: rw, slug: query(one.request.Path, "fnId"), peer: conv.functions, mu: &conv.mu,
				memos: map[string]json.RawMessage{}, noTS: conv.noTS,
			}
			conv.functions[ctx.RunID] = function
			runs = append(runs, function)
		}
		function.add(one)
	}
	for _, function := range runs {
		if err := function.nameJobs(); err != nil {
			return nil, fmt.Errorf("recording %s: %w", rec.name, err)
		}
		if err := function.findTrigger(); err != nil {
			return nil, fmt.Errorf("recording %s: %w", rec.name, err)
		}
	}
	conv.provided = providedBy(rec, rw)
	app.mu.Lock()
	defer app.mu.Unlock()
	for _, function := range runs {
		app.functions[function.slug] = append(app.functions[function.slug], function)
	}
	app.provided = append(app.provided, conv.provided...)
	return conv, nil
}

// eventsWithoutTime are the names of the events of a request that leave their time to the server.
func eventsWithoutTime(request message) []string {
	var events []struct {
		Name string `json:"name"`
		TS   int64  `json:"ts"`
	}
	if !strings.HasPrefix(request.Path, "/e/") || json.Unmarshal([]byte(request.Body), &events) != nil {
		return nil
	}
	var names []string
	for _, event := range events {
		if event.TS == 0 {
			names = append(names, event.Name)
		}
	}
	return names
}

// add takes a recorded call in.
func (f *functionRun) add(one *exchange) {
	ctx, members := contextOf(one.request.Body)
	f.calls = append(f.calls, &recordedCall{exchange: one, ctx: ctx})
	if ops := answerOps(whole(one.response)); ops != nil {
		f.answers = append(f.answers, ops)
	}
	for _, inner := range one.nested {
		for _, op := range checkpointOps(inner.request) {
			f.answers = append(f.answers, []string{op})
		}
	}
	var memos map[string]json.RawMessage
	_ = json.Unmarshal([]byte(f.rw.text(string(members["steps"]))), &memos)
	maps.Copy(f.memos, memos)
}

// nameJobs finds out what each recorded job was for, which proves the formulas on the recording.
func (f *functionRun) nameJobs() error {
	first := f.calls[0]
	_, members := contextOf(first.request.Body)
	eventID := triggerOf(members)
	if f.batch = batchOf(f.rec.name, members); f.batch != nil {
		eventID = f.batch.source(first.ctx.FunctionID)
	}
	names := jobNames(first.ctx.FunctionID, eventID, first.ctx.RunID, f.answers)
	for _, call := range f.calls {
		job, ok := names[call.ctx.JobID]
		if !ok || queueItemID(call.ctx.JobID) != call.ctx.QueueItem || call.ctx.RequestID[10:] != requestIDEntropy(call.ctx.JobID, call.ctx.Generation) {
			return fmt.Errorf("call %d: the recorded ids %+v do not follow from the run", call.number, call.ctx)
		}
		call.job = job
	}
	return nil
}

// eventOf is the internal event id of a recorded run.
func (r *recording) eventOf(runID string) string {
	for _, read := range r.reads {
		var envelope struct {
			Data readRun `json:"data"`
		}
		if read.Path == "/v1/runs/"+runID && json.Unmarshal([]byte(read.Body), &envelope) == nil {
			return envelope.Data.EventID
		}
	}
	return ""
}
