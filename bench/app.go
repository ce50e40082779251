package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// sdkVersion is what the app claims to be.
const sdkVersion = "js:v3.54.2"

// record is what the app saw of one run.
type record struct {
	sent, first, last time.Time
	runID             string
	mostSteps         int
	// forgot: a call knew fewer steps than one before. twice: the event started another run, too.
	forgot, twice bool
}

// app is the app under the server: it answers each call with the next op of the profile, and counts.
type app struct {
	profile profile
	wakeAt  time.Time // when sleeps without a duration end
	// wakeName is the event that waits are for.
	wakeName string

	mu      sync.Mutex
	records []record
	calls   int
	// started counts runs that were called once, ended those that were called for the last time.
	started, ended      int
	lastCall, firstWake time.Time
	changed             chan struct{} // closed and replaced at every milestone
}

func newApp(p profile) *app {
	return &app{profile: p, records: make([]record, p.count), changed: make(chan struct{})}
}

// callRequest is the part of a call that the app looks at.
type callRequest struct {
	Event struct {
		Data struct {
			Index int `json:"i"`
		} `json:"data"`
	} `json:"event"`
	Steps map[string]json.RawMessage `json:"steps"`
	Ctx   struct {
		RunID string `json:"run_id"`
	} `json:"ctx"`
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-Inngest-Sdk", "inngest-"+sdkVersion)
	header.Set("X-Inngest-Req-Version", "2")
	header.Set("Content-Type", "application/json")
	if r.Method != http.MethodPost {
		_, _ = io.WriteString(w, "{}")
		return
	}
	var call callRequest
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
		http.Error(w, `{"name":"Error","message":"the call is not JSON"}`, http.StatusInternalServerError)
		return
	}
	a.count(call, time.Now())
	if len(call.Steps) >= a.profile.steps {
		_, _ = io.WriteString(w, `{"ok":true}`)
		return
	}
	w.WriteHeader(http.StatusPartialContent)
	_ = json.NewEncoder(w).Encode([]any{a.op(len(call.Steps))})
}

// op is the step after the first known ones.
func (a *app) op(known int) map[string]any {
	if a.profile.waits {
		return a.waitOp()
	}
	op := map[string]any{
		"id": fmt.Sprintf("%040x", known+1), "op": "StepRun", "displayName": fmt.Sprintf("step %d", known),
		"data": map[string]int{"step": known},
	}
	if a.profile.sleeps {
		until := a.profile.nap.String()
		if a.profile.nap == 0 {
			until = a.wakeAt.UTC().Format(time.RFC3339Nano)
		}
		op["op"], op["name"] = "Sleep", until
		delete(op, "data")
	}
	return op
}

func (a *app) count(call callRequest, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls++
	a.lastCall = now
	if call.Event.Data.Index < 0 || call.Event.Data.Index >= len(a.records) {
		return
	}
	seen := &a.records[call.Event.Data.Index]
	switch seen.runID {
	case "":
		seen.runID, seen.first = call.Ctx.RunID, now
		a.started++
		a.milestone(a.started)
	case call.Ctx.RunID:
	default:
		seen.twice = true
	}
	known := len(call.Steps)
	seen.forgot = seen.forgot || known < seen.mostSteps
	seen.mostSteps = max(seen.mostSteps, known)
	if known == a.profile.steps && seen.last.IsZero() {
		if seen.last = now; a.firstWake.IsZero() {
			a.firstWake = now
		}
		a.ended++
		if a.milestone(a.ended); a.profile.waits {
			close(a.changed) // somebody waits for this very run
			a.changed = make(chan struct{})
		}
	}
}

// milestone wakes those who wait when count is all runs or the end of a segment. The caller holds the lock.
func (a *app) milestone(count int) {
	if count == len(a.records) || a.profile.segment > 0 && count%a.profile.segment == 0 {
		close(a.changed)
		a.changed = make(chan struct{})
	}
}

// waitUntil returns true when reached does, and false when no call has arrived for patience.
func (a *app) waitUntil(patience time.Duration, reached func() bool) bool {
	begin := time.Now()
	for {
		a.mu.Lock()
		done, changed, last := reached(), a.changed, a.lastCall
		a.mu.Unlock()
		if done {
			return true
		}
		if last.Before(begin) {
			last = begin
		}
		left := patience - time.Since(last)
		if left <= 0 {
			return false
		}
		select {
		case <-changed:
		case <-time.After(left):
		}
	}
}
