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

// play sends what the app and the recorder sent.
func (c *conversation) play(ctx context.Context) {
	for _, one := range c.rec.exchanges {
		if !slices.Contains([]string{"client->server", "app->server"}, one.request.Dir) {
			continue
		}
		c.await(ctx, one.request.Seq)
		// An event that came before its own time would be one from the future.
		c.sleepUntil(ctx, c.rec.at(c.rw.start, one.request).Add(c.rw.shift))
		c.mu.Lock()
		target, body := c.personal(one.request.Path), c.personal(one.request.Body)
		want := one.response
		want.Body = c.personal(want.Body)
		c.mu.Unlock()
		cmp := &comparer{where: fmt.Sprintf("%s %d", one.request.Method, one.number), excuse: fitsFetched}
		cmp.exchange(ctx, c.app.srv, c.rw, one.request, target, body, want)
		c.mu.Lock()
		c.found = append(c.found, cmp.found...)
		c.mu.Unlock()
	}
}

// sleepUntil waits for a time, none at all when the recording holds no time.
func (c *conversation) sleepUntil(ctx context.Context, at time.Time) {
	_ = poll(ctx, time.Minute, func() error {
		if wait := time.Until(at); wait > 0 && !c.rw.start.IsZero() {
			return fmt.Errorf("it is %s too early", wait)
		}
		return nil
	})
}

// taken is the time that a server may take to act on an answer before the next event or request, which may need it.
const taken = 300 * time.Millisecond

// await waits until the server has made the calls before a place in the recording, and has taken their answers.
func (c *conversation) await(ctx context.Context, seq int) {
	_ = poll(ctx, 10*time.Second, func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, function := range c.functions {
			for _, call := range function.calls {
				if (call.request.Seq < seq && !call.done) || (call.response.Seq < seq && time.Since(call.answered) < taken) {
					return fmt.Errorf("call %d is not made and answered", call.number)
				}
			}
		}
		return nil
	})
}

// finish waits for all calls and for the end of all runs, and notes what did not come.
func (c *conversation) finish(ctx context.Context) {
	for _, recorded := range slices.Sorted(maps.Keys(c.functions)) {
		function := c.functions[recorded]
		_ = poll(ctx, 15*time.Second, func() error {
			c.mu.Lock()
			runID := function.runID
			c.mu.Unlock()
			if function.complete() || (runID != "" && c.app.srv.ended(ctx, runID, time.Millisecond) == nil) {
				return nil
			}
			return fmt.Errorf("calls are missing")
		})
		if function.runID != "" {
			if err := c.app.srv.ended(ctx, function.runID, 10*time.Second); err != nil {
				c.found = append(c.found, mismatch{where: "run of " + function.slug, field: "end", want: "an end", got: err.Error()})
			}
			if run, err := c.app.srv.run(ctx, function.runID); err == nil {
				function.storedEvent = run.EventID
			}
		}
		c.mu.Lock()
		for _, call := range function.calls {
			if !call.done {
				c.found = append(c.found, mismatch{where: function.where(call), field: "call", want: call.job, got: "(not made)"})
			}
		}
		c.mu.Unlock()
	}
}

// personal moves a text of the recording to the server's time and ids. The conversation must be locked.
func (c *conversation) personal(recorded string) string {
	text := c.rw.text(recorded)
	for _, function := range c.functions {
		text = function.personal(text)
		if recorded := c.rec.eventOf(function.calls[0].ctx.RunID); recorded != "" && function.storedEvent != "" {
			text = strings.ReplaceAll(text, recorded, function.storedEvent)
		}
	}
	return text
}
