package run

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

// longWait is how long a wait for a signal or a function lasts that names no timeout. Spec 02 §9.1.
const longWait = 365 * 24 * time.Hour

func (s State) pauseID(op string) uuid.UUID { return ids.PauseID(s.ID.String(), op) }

// newPause is the pause of a step, without what it waits for.
func (s State) newPause(g *group, op sdk.Op, kind PauseKind, expires time.Time) Pause {
	return Pause{
		ID: s.pauseID(op.ID), Kind: kind, Op: op.ID, Name: displayName(op), CreatedAt: g.in.Now, Expires: expires, Job: ids.PauseJob(s.key(), op.ID),
		MaxAttempts: g.in.Job.MaxAttempts, Mode: Mode(op.Mode), CoalesceKey: g.key,
	}
}

// until is when a wait ends. A timeout that is no duration and no date fails the attempt, one that is too long the run.
func (s State) until(g *group, op sdk.Op, timeout string, empty time.Duration) (time.Time, *outcome, bool) {
	if timeout == "" {
		return g.in.Now.Add(empty), nil, true
	}
	at, err := sdk.WaitUntil(timeout, g.in.Now)
	if tooLong := (*sdk.TooLongError)(nil); errors.As(err, &tooLong) {
		failure := tooLong.Failure()
		return at, &outcome{status: Failed, failure: &failure}, false
	}
	if err != nil {
		return at, s.endOrRetry(g, badOp(op, "timeout", err)), false
	}
	return at, nil, true
}

// badOp is the failure of an attempt whose answer has an op that cannot be read; it names the op and the field.
func badOp(op sdk.Op, field string, err error) sdk.Failure {
	return sdk.Failure{Text: fmt.Sprintf("%s %q: %s: %v", op.Op, displayName(op), field, err), Name: "Error", Engine: true}
}

// waitForEvent begins a wait for an event. Spec 02 §9.1.
func (s State) waitForEvent(t *Transition, g *group, op sdk.Op) *outcome {
	var opts struct {
		Event   string `json:"event"`
		Timeout string `json:"timeout"`
		If      string `json:"if"`
	}
	if err := readOpts(op, &opts); err != nil {
		return s.endOrRetry(g, badOp(op, "opts", err))
	}
	expires, end, ok := s.until(g, op, opts.Timeout, 0)
	if !ok {
		return end
	}
	pause := s.newPause(g, op, PauseEvent, expires)
	pause.Event = opts.Event
	if pause.Event == "" {
		pause.Event = op.Name
	}
	pause.Ignore = s.Events[0].InternalID
	if opts.If != "" {
		template, err := expr.CompileTemplate(opts.If)
		if err != nil {
			return badExpression("InvalidExpression", "Wait for event If expression failed to compile", err)
		}
		condition, err := template.Interpolate(s.Events[0].Event)
		if err != nil {
			return badExpression("CompileError", "Could not compile expression", err)
		}
		pause.Expression = condition
	}
	s.wait(t, pause, g.in.Job)
	return nil
}

func badExpression(name, message string, err error) *outcome {
	return &outcome{status: Failed, failure: &sdk.Failure{Text: name, Name: name, Message: message, Stack: err.Error(), Engine: true}}
}

// waitForSignal begins a wait for a signal.
func (s State) waitForSignal(t *Transition, g *group, op sdk.Op) *outcome {
	var opts struct {
		Signal   string `json:"signal"`
		Timeout  string `json:"timeout"`
		Conflict string `json:"conflict"`
	}
	if err := readOpts(op, &opts); err != nil {
		return s.endOrRetry(g, badOp(op, "opts", err))
	}
	if opts.Signal == "" {
		opts.Signal = op.Name
	}
	expires, end, ok := s.until(g, op, opts.Timeout, longWait)
	if !ok {
		return end
	}
	own, waits := s.waitsFor(*t, opts.Signal, op.ID)
	if (waits || g.in.Conflict == opts.Signal) && opts.Conflict != "replace" {
		return &outcome{status: Failed, failure: &sdk.Failure{
			Text: "Error", Name: "Error", Message: "Signal conflict; signal wait already exists for another run", Engine: true,
		}}
	}
	if waits {
		s.giveUp(t, own)
	}
	pause := s.newPause(g, op, PauseSignal, expires)
	pause.Signal, pause.Replace = opts.Signal, opts.Conflict == "replace"
	s.wait(t, pause, g.in.Job)
	return nil
}

// waitsFor returns the pause of another step of the run that waits for the signal, one of this answer included. There is one
// at most.
func (s State) waitsFor(t Transition, signal, op string) (Pause, bool) {
	for _, pause := range s.applyWaits(t).Pauses {
		if pause.Kind == PauseSignal && pause.Signal == signal && pause.Op != op {
			return pause, true
		}
	}
	return Pause{}, false
}

// giveUp ends the wait of a step for a signal that another step of the run takes over. Nothing would end it but its timeout,
// and as that would.
func (s State) giveUp(t *Transition, pause Pause) {
	t.Pauses = slices.DeleteFunc(t.Pauses, func(p Pause) bool { return p.ID == pause.ID })
	t.Jobs = slices.DeleteFunc(t.Jobs, func(j Job) bool { return j.ID == pause.Job })
	t.Drop = append(t.Drop, pause.ID)
	t.DropJobs = append(t.DropJobs, pause.Job)
	t.Steps = append(t.Steps, Step{ID: pause.Op, Memo: sdk.SleepMemo})
}

// invoke begins a wait for the end of another function and publishes the event that starts it. Both are one transition,
// so that the function is started exactly when somebody waits for it.
func (s State) invoke(t *Transition, g *group, op sdk.Op) *outcome {
	var opts struct {
		FunctionID string `json:"function_id"`
		Timeout    string `json:"timeout"`
		Payload    *struct {
			ID   string          `json:"id"`
			Data json.RawMessage `json:"data"`
			User json.RawMessage `json:"user"`
			Meta json.RawMessage `json:"meta"`
			TS   int64           `json:"ts"`
			V    string          `json:"v"`
		} `json:"payload"`
	}
	switch err := readOpts(op, &opts); {
	case err != nil:
		return s.endOrRetry(g, badOp(op, "opts", err))
	case opts.FunctionID == "":
		return s.endOrRetry(g, badOp(op, "function_id", errors.New("is missing")))
	case opts.Payload == nil:
		return s.endOrRetry(g, badOp(op, "payload", errors.New("is missing")))
	}
	expires, end, ok := s.until(g, op, opts.Timeout, longWait)
	if !ok {
		return end
	}
	if _, waits := s.pauseAt(op.ID); waits || s.has(op.ID) || s.hasJob(*t, ids.PauseJob(s.key(), op.ID)) {
		return nil
	}
	sessions, err := event.Sessions(opts.Payload.Meta)
	if err != nil {
		failure := badOp(op, "payload", err)
		return &outcome{status: Failed, failure: &failure}
	}
	data := compactObject(opts.Payload.Data)
	user := opts.Payload.User
	if len(user) > 0 && user[0] != '{' {
		user = nil
	}
	ts := opts.Payload.TS
	if ts == 0 {
		ts = g.in.Now.UnixMilli()
	}
	t.Publish = append(t.Publish, event.Event{
		ID: opts.Payload.ID, Name: event.FunctionInvoked, TS: ts, V: opts.Payload.V, User: user, Sessions: sessions,
		Data: event.WithMetadata(data, event.Metadata{
			SourceAppID: s.AppID.String(), SourceFnID: s.FunctionID.String(), SourceFnVersion: s.FunctionVersion,
			FnID: opts.FunctionID, CorrelationID: s.ID.String() + "." + op.ID, ExpireMS: expires.UnixMilli(),
			GroupID: s.pauseID(op.ID).String(), StepName: displayName(op),
		}),
	})
	s.wait(t, s.newPause(g, op, PauseInvoke, expires), g.in.Job)
	return nil
}

// compactObject is a JSON object without spaces; what is no object counts as an empty one.
func compactObject(raw json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil || b.Len() == 0 || b.Bytes()[0] != '{' {
		return json.RawMessage(`{}`)
	}
	return b.Bytes()
}

// readOpts reads the op's options into a struct; absent options leave it as it is.
func readOpts(op sdk.Op, into any) error {
	if len(op.Opts) == 0 {
		return nil
	}
	return json.Unmarshal(op.Opts, into)
}
