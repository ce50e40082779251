package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// functionRun is one function's run in a recording, and the run of the server under test that replays it.
type functionRun struct {
	app     *fakeApp
	rec     *recording
	rw      *rewriter
	slug    string
	peer    map[string]*functionRun // the recording's runs by recorded id
	trigger trigger
	batch   *batch // nil for a run of one event

	calls   []*recordedCall
	answers [][]string                 // op ids of the recorded answers
	memos   map[string]json.RawMessage // recorded memos by op, as the server must send them
	noTS    map[string]bool            // names of events that were sent without a time

	mu      *sync.Mutex // of the whole recording
	runID   string
	eventID string
	// storedEvent is the id under which the server stored the run's event.
	storedEvent string
	trace       string
	found       []mismatch
}

// recordedCall is a call that the server must make.
type recordedCall struct {
	*exchange
	ctx      callContext
	job      string      // what the job is for, see jobNames
	made     callContext // the ctx of the server's call
	done     bool        // the server has made the call
	answered time.Time   // when it got its answer
}

// callContext is the ctx member of a call.
type callContext struct {
	Attempt    int    `json:"attempt"`
	FunctionID string `json:"fn_id"`
	Generation int    `json:"generation_id"`
	JobID      string `json:"job_id"`
	QueueItem  string `json:"qi_id"`
	RequestID  string `json:"request_id"`
	RunID      string `json:"run_id"`
	Stack      struct {
		Current int      `json:"current"`
		Stack   []string `json:"stack"`
	} `json:"stack"`
}

// contextOf reads ctx out of a call's body, which may be cut.
func contextOf(body string) (callContext, map[string]json.RawMessage) {
	var ctx callContext
	members := completeMembers(body)
	_ = json.Unmarshal(members["ctx"], &ctx)
	return ctx, members
}

// triggerOf is the id of a call's event. Runs are keyed with it, also for the events of the server itself, whose id is not
// the one that the event was stored under.
func triggerOf(members map[string]json.RawMessage) string {
	var event struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(members["event"], &event)
	return event.ID
}

// serve answers a call of the server.
func (f *functionRun) serve(w http.ResponseWriter, r *http.Request, body string) {
	ctx, members := contextOf(body)
	f.learnRun(ctx, members)
	f.mu.Lock()
	call := f.match(ctx, query(r.URL.RequestURI(), "stepId"))
	if call != nil {
		call.made = ctx
	}
	if call == nil {
		f.found = append(f.found, mismatch{
			where: "extra call", field: "job " + f.jobName(ctx.JobID), want: "(none)",
			got: fmt.Sprintf("attempt %d, generation %d, stack %v", ctx.Attempt, ctx.Generation, ctx.Stack.Stack),
		})
	}
	f.mu.Unlock()
	if call == nil {
		w.Header().Set("X-Inngest-Sdk", "replay")
		w.Header().Set("X-Inngest-No-Retry", "true")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, `"this call is not in the recording"`)
		return
	}
	found := f.compareCall(call, r, body)
	for _, inner := range call.nested {
		found = append(found, f.playNested(r.Context(), call, inner)...)
	}
	f.keepOrder(r.Context(), call)
	f.mu.Lock()
	f.found = append(f.found, found...)
	call.answered = time.Now()
	f.mu.Unlock()
	f.reply(w, r, call)
}

// settle is the time that a server may take to act on an answer.
const settle = 60 * time.Millisecond

// keepOrder waits with an answer until the run is where the recorded one was: the calls that were made before the answer are
// made, and the answers that came before it are given, and taken when both were under way at once. It gives up after a
// moment, since the server may differ.
func (f *functionRun) keepOrder(ctx context.Context, call *recordedCall) {
	_ = poll(ctx, 2*time.Second, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, other := range f.calls {
			made, replied := other.request.Seq < call.response.Seq, other.response.Seq < call.response.Seq
			together := other.response.Seq > call.request.Seq
			if (made && !other.done) || (replied && other.answered.IsZero()) ||
				(replied && together && time.Since(other.answered) < settle) {
				return fmt.Errorf("call %d is to come first", other.number)
			}
		}
		return nil
	})
}

// learnRun notes the run's ids at its first call.
func (f *functionRun) learnRun(ctx callContext, members map[string]json.RawMessage) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.runID == "" {
		f.runID, f.eventID = ctx.RunID, triggerOf(members)
		if f.batch != nil {
			f.batch.order = eventsOf(members)
		}
		if f.trigger.random() && !isRecentULID(f.eventID) {
			f.found = append(f.found, mismatch{where: "run of " + f.slug, field: "event id", want: "(a new ULID)", got: f.eventID})
		}
	}
}

// jobName says what a job of the server's run is for.
func (f *functionRun) jobName(jobID string) string {
	name, ok := jobNames(f.app.function(f.slug).id, f.eventID, f.runID, f.answers)[jobID]
	if !ok {
		return "unknown " + jobID
	}
	return name
}

// match finds the recorded call that the server is making: the same job and generation, or, when the job id is a wrong
// one, the first call of the same target and attempt, so that the conversation can go on.
func (f *functionRun) match(ctx callContext, target string) *recordedCall {
	if f.batch != nil {
		return f.matchBatch(ctx, target)
	}
	name := f.jobName(ctx.JobID)
	for _, call := range f.calls {
		if !call.done && call.job == name && call.ctx.Generation == ctx.Generation && ctx.RunID == f.runID {
			call.done = true
			return call
		}
	}
	for _, call := range f.calls {
		if !call.done && query(call.request.Path, "stepId") == target && call.ctx.Attempt == ctx.Attempt &&
			len(call.ctx.Stack.Stack) == len(ctx.Stack.Stack) && ctx.RunID == f.runID {
			call.done = true
			if !f.sameGroup(name, call.job) || call.ctx.Generation != ctx.Generation {
				f.found = append(f.found, mismatch{
					where: f.where(call), field: "job", got: name,
					want: fmt.Sprintf("%s, generation %d (got %d)", call.job, call.ctx.Generation, ctx.Generation),
				})
			}
			return call
		}
	}
	return nil
}

// sameGroup is true for the jobs after two ops of one answer: which of two equal sleeps ends last is a matter of timing.
func (f *functionRun) sameGroup(left, right string) bool {
	leftOp, isAfter := strings.CutPrefix(left, "after ")
	rightOp, bothAfter := strings.CutPrefix(right, "after ")
	return isAfter && bothAfter && slices.ContainsFunc(f.answers, func(ops []string) bool {
		return slices.Contains(ops, leftOp) && slices.Contains(ops, rightOp)
	})
}

func (f *functionRun) where(call *recordedCall) string { return fmt.Sprintf("call %d", call.number) }

// complete is true when the server has made every recorded call.
func (f *functionRun) complete() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, call := range f.calls {
		if call.answered.IsZero() {
			return false
		}
	}
	return true
}

// personal puts the ids of the server's runs in the place of the recorded ones. The recording must be locked.
func (f *functionRun) personal(text string) string {
	for _, peer := range f.peer {
		if len(peer.calls) == 0 {
			continue
		}
		if peer.runID != "" {
			text = strings.ReplaceAll(text, peer.calls[0].ctx.RunID, peer.runID)
		}
		text = strings.ReplaceAll(text, peer.calls[0].ctx.FunctionID, f.app.function(peer.slug).id)
		if moved := peer.trigger.moved(peer.eventID, f.peer); moved != "" {
			text = strings.ReplaceAll(text, peer.trigger.id, moved)
		}
	}
	return text
}

// reply plays the recorded answer of a call.
func (f *functionRun) reply(w http.ResponseWriter, r *http.Request, call *recordedCall) {
	recorded := call.response
	if other, ok := otherAnswers[f.rec.name+" "+f.where(call)]; ok {
		recorded = message{Status: other.status, Body: other.body, Headers: recorded.Headers}
	}
	for _, pair := range recorded.Headers {
		switch strings.ToLower(pair[0]) {
		case "date", "connection", "transfer-encoding", "content-length":
		case "traceparent", "tracestate":
			w.Header().Set(pair[0], r.Header.Get(pair[0]))
		default:
			w.Header().Add(pair[0], f.rw.header(pair[0], pair[1]))
		}
	}
	w.WriteHeader(recorded.Status)
	f.mu.Lock()
	body := f.personal(f.rw.text(whole(recorded)))
	f.mu.Unlock()
	// A streamed answer begins with a space that keeps the connection busy.
	if rest := strings.TrimLeft(body, " "); recorded.Status == http.StatusCreated && rest != body {
		_, _ = io.WriteString(w, body[:len(body)-len(rest)])
		_ = http.NewResponseController(w).Flush()
		body = rest
	}
	_, _ = io.WriteString(w, body)
}

// whole is the body of a recorded answer or checkpoint. The cut ones are steps whose output is one letter, 1,500,000 times.
func whole(recorded message) string {
	if recorded.BodyTruncated == nil {
		return recorded.Body
	}
	end := `"}]`
	if strings.HasPrefix(recorded.Body, "{") {
		end = `"}]}`
	}
	const size = 1_500_000
	begin := strings.Index(recorded.Body, `"data":"`) + len(`"data":"`)
	return recorded.Body[:begin] + strings.Repeat(recorded.Body[begin:begin+1], size) + end
}

// function is what is known of a registered function.
func (a *fakeApp) function(slug string) registered {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.known[slug]
}
