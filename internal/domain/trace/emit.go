package trace

import (
	"encoding/json"
	"net/textproto"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

// Advanced are the spans of a transition: what became of steps, which attempts failed, and the run's own, when it began or ended.
// published are the transition's events with their IDs. It is pure, so a transition that is decided on twice has the same spans,
// and it is called at each commit, so it collects nothing that it does not need. Spec 15 §8.8.
func Advanced(before run.State, in run.Input, t run.Transition, published []event.Tracked) []Span {
	e := emitter{state: before, t: t, published: published}
	e.identify()
	switch in := in.(type) {
	case run.Due:
		e.now, e.job = in.Now.UTC(), in.Job
		e.rest()
	case run.Replied:
		e.now, e.calledAt, e.job, e.exchange, e.reply = in.Now.UTC(), in.CalledAt.UTC(), in.Job, in.Exchange, in.Reply
		e.replied = true
		e.ops(in.Reply.Ops)
		e.rest()
		e.attempt()
	case run.Gatewayed:
		e.now, e.calledAt, e.job, e.exchange = in.Now.UTC(), in.CalledAt.UTC(), in.Job, in.Exchange
		e.gatewayed(in)
		e.rest()
	case run.Matched:
		e.now, e.ended = in.Now.UTC(), ending{event: in.Event.InternalID}
		e.rest()
	case run.Signalled:
		e.now = in.Now.UTC()
		e.rest()
	case run.Invoked:
		e.now, e.ended = in.Now.UTC(), ending{event: in.Event.InternalID, run: endedRun(in.Event.Event)}
		e.rest()
	case run.Checkpointed:
		e.now, e.checkpoint, e.job = in.Now.UTC(), true, run.Job{ID: in.Dispatch.Job}
		e.ops(in.Ops)
		e.rest()
	case run.Synced:
		e.now, e.checkpoint, e.job = in.Now.UTC(), true, run.Job{MaxAttempts: in.MaxAttempts}
		e.ops(in.Ops)
		e.rest()
	case run.CancelRequested:
		e.now = in.Now.UTC()
	}
	e.run()
	return e.spans
}

// emitter collects the spans of one transition.
type emitter struct {
	state       run.State // these by value, since what is pointed to from here would be kept on the heap
	t           run.Transition
	published   []event.Tracked
	trace, root string
	// job led to the transition, zero for none; its call was made at calledAt, which is zero without one, and answered at now.
	job           run.Job
	calledAt, now time.Time
	exchange      run.Exchange
	reply         sdk.Reply
	replied       bool
	checkpoint    bool
	ended         ending
	// timed says that a row tells where the time of the call went.
	timed bool
	// told are the steps with a memo that have their row, opened those that have begun.
	told, opened []string
	spans        []Span
}

// ending is what ended a wait: an event, and the run that it tells of the end of.
type ending struct{ event, run ulid.ULID }

func (e *emitter) identify() { e.trace, e.root = RunIDs(e.state.ID) }

// span is a row of the run below its own span, of this instant.
func (e *emitter) span(name, id string, status Status) Span {
	return Span{
		Run: e.state.ID, App: e.state.AppID, Function: e.state.FunctionID, Trace: e.trace, ID: id, Parent: e.root, Dynamic: id,
		Name: name, Start: e.now, End: e.now, Status: status,
	}
}

func (e *emitter) put(s Span) { e.spans = append(e.spans, s) }

// extend adds a row that tells more of a span. What tells it from other such rows of the span is its cause.
func (e *emitter) extend(dynamic, cause string, status Status, attributes json.RawMessage) *Span {
	s := e.span(NameExtend, ExtendID(dynamic, cause), status)
	s.Dynamic, s.Attributes = dynamic, attributes
	e.put(s)
	return &e.spans[len(e.spans)-1]
}

// callStart is since when something of the transition was worked on.
func (e *emitter) callStart() time.Time {
	if e.calledAt.IsZero() || e.calledAt.After(e.now) {
		return e.now
	}
	return e.calledAt
}

// isTold marks a step as told; true when it was already.
func (e *emitter) isTold(step string) bool { return mark(&e.told, step) }

// mark puts a name on the list; true when it was there.
func mark(list *[]string, name string) bool {
	if slices.Contains(*list, name) {
		return true
	}
	*list = append(*list, name)
	return false
}

// group is what the attempts of a job have in common.
func (e *emitter) group() string {
	if e.job.ID == "" {
		return ""
	}
	return GroupID(e.job.ID)
}

// attempt tells of a call that failed outside of steps and is made again, or that ended the function after others had failed.
func (e *emitter) attempt() {
	t := &e.t
	status := Errored
	var output json.RawMessage
	switch {
	case t.Current.Fate == run.FateRetry && t.Current.Failure != nil:
		output = failed(*t.Current.Failure, &e.reply)
	case t.Finish != nil && e.job.Attempt > 0:
		output = wrapped(*t.Finish)
		status = Completed
		if t.Finish.Status != run.Completed {
			status = Failed
		}
	default:
		return
	}
	s := e.span(NameNonStep, NonStepID(e.group(), e.job.Attempt), status)
	s.Start, s.Output = e.callStart(), output
	a := newAttributes(wholeBytes + e.headerBytes())
	a.status(status)
	a.at(KeyEndedAt, e.now)
	e.timing(a, KeyTiming)
	a.flag(KeyFunctionOutput, true)
	e.request(a, e.callStart())
	a.number(KeyAttempt, e.job.Attempt)
	a.number(KeyMaxAttempts, e.job.MaxAttempts)
	s.Attributes = a.object()
	e.put(s)
}

// request appends what is known of the job and its call, and when it was worked on: the keys from job.group.id to started_at.
func (e *emitter) request(a *attributes, started time.Time) {
	a.plain(KeyGroupID, e.group())
	a.text(KeyJobID, e.job.ID)
	queued := e.job.At
	if queued.IsZero() || queued.After(started) {
		queued = started
	}
	a.at(KeyQueuedAt, queued)
	e.response(a)
	a.at(KeyScheduledAt, queued)
	a.at(KeyStartedAt, started)
}

// response appends the keys from request.id to response.status_code.
func (e *emitter) response(a *attributes) {
	a.text(KeyRequestID, e.exchange.Request)
	if !e.replied || e.exchange.Request == "" {
		return
	}
	a.headers(e.exchange.Header)
	a.number(KeyOutputSize, e.exchange.Size)
	a.number(KeyStatusCode, e.reply.Status)
}

// answered appends what a durable endpoint answered to its client, which no call was answered with.
func (e *emitter) answered(a *attributes, response sdk.HTTPResult) {
	header := make(map[string]string, len(response.Headers))
	for name, value := range response.Headers {
		header[textproto.CanonicalMIMEHeaderKey(name)] = value
	}
	a.headers(header)
	a.number(KeyStatusCode, response.Status)
}

// headerBytes is how long the headers of the response are as an attribute.
func (e *emitter) headerBytes() int {
	size := 0
	for name, value := range e.exchange.Header {
		const quotes = 12
		size += quotes + len(name) + len(value)
	}
	return size
}

// failed is the output of an attempt that failed.
func failed(failure sdk.Failure, reply *sdk.Reply) json.RawMessage {
	of := sdk.Reply{Failure: &failure}
	if reply != nil && reply.Failure != nil && !failure.Engine {
		if of.Output, of.PlainText = reply.Output, reply.PlainText; len(of.Output) > 0 && of.Output[0] == '{' {
			return wrapped(run.Finish{Status: run.Failed, Output: of.Output}) // as if it were the last
		}
	}
	return append(append(json.RawMessage(`{"error":`), of.StandardError().AppendJSON(nil)...), '}')
}

// wrapped is the output of a run that has ended, as its span shows it; nil for none. Spec 15 §8.6.
func wrapped(end run.Finish) json.RawMessage {
	name := `{"data":`
	switch {
	case end.Output == nil || end.Status == run.Cancelled || end.Status == run.Skipped:
		return nil
	case end.Status == run.Failed:
		name = `{"error":`
	}
	output := append(make(json.RawMessage, 0, len(name)+len(end.Output)+1), name...)
	return append(append(output, end.Output...), '}')
}

// Unwrapped is the output of a run as it was before it was wrapped for its span.
func Unwrapped(output json.RawMessage) json.RawMessage {
	for _, name := range [...]string{`{"data":`, `{"error":`} {
		if len(output) > len(name) && string(output[:len(name)]) == name {
			return output[len(name) : len(output)-1]
		}
	}
	return output
}

// run tells of the run itself: that it has begun, or ended.
func (e *emitter) run() {
	s, t := &e.state, &e.t
	started := s.StartedAt
	if started.IsZero() {
		started = t.StartedAt
	}
	if t.Finish == nil {
		if s.StartedAt.IsZero() && !started.IsZero() {
			a := newAttributes(smallBytes)
			a.status(Running)
			a.at(KeyStartedAt, started)
			row := e.extend(e.root, "begin", Running, a.object())
			row.Parent, row.Start, row.End = NoParent, started.UTC(), started.UTC()
			row.Summary = &Summary{Status: Running, StartedAt: started}
		}
		return
	}
	end := *t.Finish
	status := runStatus(end.Status)
	a := newAttributes(wholeBytes + e.headerBytes())
	a.status(status)
	a.at(KeyEndedAt, end.At)
	a.at(KeyCallStartedAt, e.calledAt)
	e.timing(a, KeyTiming)
	output := wrapped(end)
	a.yes(KeyFunctionOutput, output != nil)
	if !e.calledAt.IsZero() {
		a.plain(KeyGroupID, e.group())
		a.text(KeyJobID, e.job.ID)
	}
	e.response(a)
	if e.checkpoint && end.Response != nil {
		e.answered(a, *end.Response)
	}
	a.at(KeyStartedAt, started)
	if status == Failed && !e.calledAt.IsZero() && e.job.Attempt == 0 { // else the row of the attempt tells it
		a.number(KeyMaxAttempts, e.job.MaxAttempts)
	}
	row := e.extend(e.root, "end", status, a.object())
	row.Parent, row.Output = NoParent, output
	row.Start, row.End = end.At.UTC(), end.At.UTC()
	row.Summary = &Summary{Status: status, StartedAt: started, EndedAt: end.At}
}

func runStatus(status run.Status) Status {
	switch status {
	case run.Failed:
		return Failed
	case run.Cancelled:
		return Cancelled
	case run.Skipped:
		return Skipped
	case run.Running, run.Completed:
	}
	return Completed
}

// endedRun is the run that an event tells of the end of; zero when it does not say.
func endedRun(e event.Event) ulid.ULID {
	var data struct {
		Run ulid.ULID `json:"run_id"`
	}
	if json.Unmarshal(e.Data, &data) != nil {
		return ulid.ULID{}
	}
	return data.Run
}
