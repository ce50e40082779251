package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"
)

// Kinds of run. Each event says in its data which one it starts.
const (
	kindPlain    = "plain"    // ends at the first call
	kindSteps    = "steps"    // three steps, one after the other
	kindSleep    = "sleep"    // sleeps once, 200 ms to 1 s
	kindParallel = "parallel" // three planned steps at once
	kindFlaky    = "flaky"    // a step that fails the first time, and one after it
)

var kinds = []string{kindPlain, kindSteps, kindSleep, kindParallel, kindFlaky}

const noTarget = "step" // value of stepId in a call that names no planned step (Spec 01 §8.1)

// payload is the data of the test's events.
type payload struct {
	Key     string `json:"key"`               // names the event in this test
	Kind    string `json:"kind"`              // one of the kinds, or of the features
	Nap     string `json:"nap,omitempty"`     // duration of the sleep
	Group   string `json:"group,omitempty"`   // what features go by
	Urgency int    `json:"urgency,omitempty"` // priority in seconds
}

// callRequest is what the test reads of a call (Spec 01 §8.3).
type callRequest struct {
	Event  callEvent                  `json:"event"`
	Events []callEvent                `json:"events"`
	Steps  map[string]json.RawMessage `json:"steps"`
	Ctx    struct {
		RunID string `json:"run_id"`
	} `json:"ctx"`
}

// callEvent is an event as a call has it.
type callEvent struct {
	Data payload `json:"data"`
}

// op is one opcode of a reply (Spec 01 §11).
type op struct {
	ID          string         `json:"id"`
	Op          string         `json:"op"`
	Name        string         `json:"name"`
	DisplayName string         `json:"displayName"`
	Data        any            `json:"data,omitempty"`
	Opts        map[string]any `json:"opts,omitempty"`
	Error       any            `json:"error,omitempty"`
}

// memo is the result of a step as the server shows it in later calls.
type memo struct {
	Data struct {
		Execution int `json:"execution"` // number of the execution that made the result
	} `json:"data"`
}

// runRecord is what the app knows of one run.
type runRecord struct {
	kind, group string
	events      []string // keys
	began       time.Time
	ended       time.Time // before the app answered the end the last time; zero if it has not

	executions map[string][]int // numbers of a step's executions, by step id
	shown      map[string]int   // the execution whose result the server has shown, by step id
	failed     bool             // the flaky step has failed
}

// app is the application under test. It breaks no rule itself: a step's result depends on the execution, so that a
// second one is seen.
type app struct {
	mu         sync.Mutex
	runs       map[string]*runRecord  // by run id
	runsOf     map[string][]string    // different run ids, by event key
	features   map[string][]*seenCall // calls, by kind; of features only
	calls      int
	executions int
	violations []string
	repeated   int // executions of steps that had been shown as memoised
}

func newCrashApp() *app {
	return &app{runs: map[string]*runRecord{}, runsOf: map[string][]string{}, features: map[string][]*seenCall{}}
}

type connectedKey struct{}

// serve makes the app reachable. Each request knows when its connection was made.
func (a *app) serve() *httptest.Server {
	web := httptest.NewUnstartedServer(a)
	web.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, connectedKey{}, time.Now())
	}
	web.Start()
	return web
}

// ServeHTTP answers a call of the server, or anything else with an empty object.
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	entered := time.Now()
	w.Header().Set("X-Inngest-Sdk", "inngest-js:v3.54.2")
	w.Header().Set("X-Inngest-Req-Version", "2")
	w.Header().Set("Content-Type", "application/json")
	if r.Method != http.MethodPost {
		_, _ = io.WriteString(w, `{}`)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the server died while it was sending; nobody reads an answer
	}
	var call callRequest
	if err := json.Unmarshal(body, &call); err != nil {
		a.violate("call is not JSON: %v: %.200s", err, body)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	leave := a.enter(r.Context(), call, entered)
	if a.linger(r.Context(), call); r.Context().Err() != nil {
		return // nobody reads an answer
	}
	ops := a.decide(call, r.URL.Query().Get("stepId"))
	leave()
	if ops == nil {
		_, _ = io.WriteString(w, `{"ok":true}`)
		return
	}
	w.WriteHeader(http.StatusPartialContent)
	_ = json.NewEncoder(w).Encode(ops) // a dead server reads no answer
}

// decide checks a call against all that was seen before and returns the ops to answer; nil ends the run.
func (a *app) decide(call callRequest, target string) []op {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls++
	data, runID := call.Event.Data, call.Ctx.RunID
	run := a.runOf(call)
	a.checkMemos(call, run, target)
	switch data.Kind {
	case kindSteps:
		if next := len(call.Steps); next < 3 {
			return a.execute(runID, run, stepID(next))
		}
	case kindSleep, featureRuns, featureSingleton:
		if len(call.Steps) == 0 {
			return []op{{ID: stepID(0), Op: "Sleep", Name: data.Nap, DisplayName: "nap", Opts: map[string]any{"duration": data.Nap}}}
		}
	case kindParallel:
		if target != noTarget {
			return a.execute(runID, run, target)
		}
		if plan := missing(call, 3); len(plan) > 0 {
			return plan
		}
	case kindFlaky:
		if next := len(call.Steps); next < 2 {
			if next == 0 && !run.failed {
				run.failed = true
				return []op{{ID: stepID(0), Op: "StepError", Name: "flaky", DisplayName: "flaky",
					Error: map[string]string{"name": "Error", "message": "fails the first time"}}}
			}
			return a.execute(runID, run, stepID(next))
		}
	case featureBatch, featureDebounce, featureThrottle, featureRate, featureSteps, featureKeyed:
		if len(call.Steps) == 0 {
			return a.execute(runID, run, stepID(0))
		}
	}
	run.ended = time.Now()
	return nil
}

// runOf returns the record of the call's run; the first call makes it. The caller holds mu.
func (a *app) runOf(call callRequest) *runRecord {
	run := a.runs[call.Ctx.RunID]
	if run != nil {
		return run
	}
	data := call.Event.Data
	run = &runRecord{kind: data.Kind, group: data.Group, began: time.Now(), executions: map[string][]int{}, shown: map[string]int{}}
	for _, ev := range call.Events {
		run.events = append(run.events, ev.Data.Key)
		a.runsOf[ev.Data.Key] = append(a.runsOf[ev.Data.Key], call.Ctx.RunID)
	}
	a.runs[call.Ctx.RunID] = run
	return run
}

// enter notes a call of a feature until the function that it returns is called, or its server has cut the connection.
func (a *app) enter(ctx context.Context, call callRequest, entered time.Time) (leave func()) {
	data := call.Event.Data
	if data.Group == "" {
		return func() {}
	}
	connected, _ := ctx.Value(connectedKey{}).(time.Time)
	seen := &seenCall{runID: call.Ctx.RunID, group: data.Group, connected: connected, entered: entered}
	left := func(cut bool) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if seen.left.IsZero() {
			seen.left, seen.cut = time.Now(), cut
		}
	}
	a.mu.Lock()
	a.runOf(call)
	a.features[data.Kind] = append(a.features[data.Kind], seen)
	a.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { left(true) })
	return func() {
		left(false)
		stop()
	}
}

// linger keeps a call of a feature in the app, so that others, and kills, would meet it there.
func (a *app) linger(ctx context.Context, call callRequest) {
	if f, found := featureOf(call.Event.Data.Kind); found && f.linger > 0 {
		select {
		case <-time.After(f.linger):
		case <-ctx.Done():
		}
	}
}

// naps says that the run's only step is a sleep.
func (r *runRecord) naps() bool {
	return r.kind == kindSleep || r.kind == featureRuns || r.kind == featureSingleton
}

// execute runs a step: it hands out a result that no other execution has.
func (a *app) execute(runID string, run *runRecord, id string) []op {
	if _, memoised := run.shown[id]; memoised {
		a.repeated++
		a.violateLocked("run %s: step %s is executed again after its result was shown", runID, id)
	}
	a.executions++
	run.executions[id] = append(run.executions[id], a.executions)
	return []op{{ID: id, Op: "StepRun", Name: "step", DisplayName: "step", Data: map[string]int{"execution": a.executions}}}
}

// checkMemos compares the memoised steps of a call with those of earlier ones.
func (a *app) checkMemos(call callRequest, run *runRecord, target string) {
	runID := call.Ctx.RunID
	for id, raw := range call.Steps {
		if run.naps() {
			run.shown[id] = 0 // a sleep's memo is null
			continue
		}
		var got memo
		if err := json.Unmarshal(raw, &got); err != nil || !slices.Contains(run.executions[id], got.Data.Execution) {
			a.violateLocked("run %s: step %s is memoised as %.200s, which the app never answered", runID, id, raw)
			continue
		}
		if before, ok := run.shown[id]; ok && before != got.Data.Execution {
			a.violateLocked("run %s: the result of step %s changed", runID, id)
		}
		run.shown[id] = got.Data.Execution
	}
	if target != noTarget {
		return // calls of parallel steps overtake each other: one that left earlier shows less
	}
	for id := range run.shown {
		if _, still := call.Steps[id]; !still {
			a.violateLocked("run %s: step %s was shown as memoised and is forgotten", runID, id)
		}
	}
}

func (a *app) violate(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.violateLocked(format, args...)
}

func (a *app) violateLocked(format string, args ...any) {
	a.violations = append(a.violations, fmt.Sprintf(format, args...))
}

// finished reports whether the app has answered the end of the event's run.
func (a *app) finished(key string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.runsOf[key], func(runID string) bool { return !a.runs[runID].ended.IsZero() })
}

// idle reports whether every run has ended.
func (a *app) idle() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, run := range a.runs {
		if run.ended.IsZero() {
			return false
		}
	}
	return true
}

// seen returns the runs of a feature that began until then, and all of its calls, in the order in which they came.
func (a *app) seen(kind string, until time.Time) (runs []seenRun, calls []seenCall) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, run := range a.runs {
		if run.kind == kind && !run.began.After(until) {
			runs = append(runs, seenRun{id: id, group: run.group, events: run.events, began: run.began, ended: run.ended})
		}
	}
	slices.SortFunc(runs, func(a, b seenRun) int { return a.began.Compare(b.began) })
	for _, call := range a.features[kind] {
		calls = append(calls, *call)
	}
	return runs, calls
}

// firsts returns the key of each run's first event, by run id.
func (a *app) firsts() map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	firsts := make(map[string]string, len(a.runs))
	for id, run := range a.runs {
		firsts[id] = run.events[0]
	}
	return firsts
}

// twice returns the keys of events that are in several runs, with these.
func (a *app) twice() map[string][]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	twice := map[string][]string{}
	for key, ids := range a.runsOf {
		if len(ids) > 1 {
			twice[key] = slices.Clone(ids)
		}
	}
	return twice
}

// missing plans those of the first n steps that the call does not show.
func missing(call callRequest, n int) []op {
	var plan []op
	for i := range n {
		if _, done := call.Steps[stepID(i)]; !done {
			plan = append(plan, op{ID: stepID(i), Op: "StepPlanned", Name: "step", DisplayName: "step"})
		}
	}
	return plan
}

// stepID is the id of the i-th step, in the shape of the SDKs' hashes.
func stepID(i int) string { return fmt.Sprintf("%040x", i+1) }
