package crash

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
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
	Key  string `json:"key"`  // names the event in this test
	Kind string `json:"kind"` // one of the kinds
	Nap  string `json:"nap"`  // duration of the sleep
}

// callRequest is what the test reads of a call (Spec 01 §8.3).
type callRequest struct {
	Event struct {
		Data payload `json:"data"`
	} `json:"event"`
	Steps map[string]json.RawMessage `json:"steps"`
	Ctx   struct {
		RunID string `json:"run_id"`
	} `json:"ctx"`
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
	executions map[string][]int // numbers of a step's executions, by step id
	shown      map[string]int   // the execution whose result the server has shown, by step id
	failed     bool             // the flaky step has failed
	ended      bool             // the app has answered the end
}

// app is the application under test. It breaks no rule itself: a step's result depends on the execution, so that a
// second one is seen.
type app struct {
	mu         sync.Mutex
	runs       map[string]*runRecord // by run id
	runsOf     map[string][]string   // different run ids, by event key
	calls      int
	executions int
	violations []string
	repeated   int // executions of steps that had been shown as memoised
}

func newCrashApp() *app {
	return &app{runs: map[string]*runRecord{}, runsOf: map[string][]string{}}
}

// ServeHTTP answers a call of the server, or anything else with an empty object.
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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
	ops := a.decide(call, r.URL.Query().Get("stepId"))
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
	run := a.runs[runID]
	if run == nil {
		run = &runRecord{executions: map[string][]int{}, shown: map[string]int{}}
		a.runs[runID] = run
		a.runsOf[data.Key] = append(a.runsOf[data.Key], runID)
	}
	a.checkMemos(call, run, target)
	switch data.Kind {
	case kindSteps:
		if next := len(call.Steps); next < 3 {
			return a.execute(runID, run, stepID(next))
		}
	case kindSleep:
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
	}
	run.ended = true
	return nil
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
		if call.Event.Data.Kind == kindSleep {
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
	return slices.ContainsFunc(a.runsOf[key], func(runID string) bool { return a.runs[runID].ended })
}

// runIDs returns the run ids that the app saw, by event key.
func (a *app) runIDs() map[string][]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make(map[string][]string, len(a.runsOf))
	for key, ids := range a.runsOf {
		all[key] = slices.Clone(ids)
	}
	return all
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
