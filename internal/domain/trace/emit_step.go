package trace

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

// maxNameBytes bounds the names of steps. Spec 15 §8.5.
const maxNameBytes = 256

// ops tells what became of the ops of an answer.
func (e *emitter) ops(list []sdk.Op) {
	for i := range list {
		op := &list[i]
		switch op.Op {
		case sdk.OpDeferAdd, sdk.OpDeferAbort:
			e.deferred(op)
			continue
		case sdk.OpNone, sdk.OpRunComplete, sdk.OpSyncRunComplete, sdk.OpDiscoveryRequest, sdk.OpStepNotFound:
			continue
		}
		if e.checkpoint && isFunction(op) {
			e.isTold(op.ID)
			continue
		}
		if step, saved := e.saved(op); saved {
			if !e.isTold(op.ID) {
				e.finished(op, step.Memo)
			}
			continue
		}
		if op.Op == sdk.OpStepError && op.Error != nil {
			if _, known := e.state.Steps[op.ID]; !known && !slices.Contains(e.told, op.ID) {
				e.errored(op)
			}
			continue
		}
		if !slices.ContainsFunc(e.t.Steps, func(step run.Step) bool { return step.ID == op.ID }) {
			e.began(op)
		}
	}
}

// functionOp is the ID of the op by which an SDK reports the end of the function itself.
var functionOp = ids.StepHash("complete", 0)

// isFunction says whether an op reports that the function failed outside of steps: it has the ID of the end, and no name, unlike a
// step. Such a failure is told of by the calls that follow.
func isFunction(op *sdk.Op) bool {
	return op.ID == functionOp && op.Error != nil && op.Name == "" && op.DisplayName == "" && op.UserlandID == ""
}

// saved finds the memo that the transition has for the op.
func (e *emitter) saved(op *sdk.Op) (run.Step, bool) {
	for _, step := range e.t.Steps {
		if step.ID == op.ID && (step.Op == op.Op || step.Op == sdk.OpStepFailed && op.Op == sdk.OpStepError) {
			return step, true
		}
	}
	return run.Step{}, false
}

// finished tells of a step that has its memo.
func (e *emitter) finished(op *sdk.Op, memo json.RawMessage) {
	status := Completed
	if op.Op == sdk.OpStepError || op.Op == sdk.OpStepFailed {
		status = Failed
	}
	e.worked(op, StepID(op.ID), status, memo)
}

// errored tells of an attempt of a step that failed and is made again.
func (e *emitter) errored(op *sdk.Op) {
	e.worked(op, AttemptID(op.ID, e.job.Attempt), Errored, sdk.ErrorMemo(*op.Error))
}

// worked adds the row of a step that the app has worked on.
func (e *emitter) worked(op *sdk.Op, id string, status Status, output json.RawMessage) {
	s := e.span(NameStep, id, status)
	started, ended := e.callStart(), e.now
	if created := time.UnixMilli(int64(e.state.ID.Time())); e.checkpoint && !op.StartedAt.Before(created) && !op.EndedAt.After(e.now) {
		started, ended = op.StartedAt, op.EndedAt // as far as it can be, for the app's clock is another one
	}
	s.Start, s.Output = started, shown(output)
	kind, input := op.About()
	s.Input, s.AI = input, isAI(op.Op, kind)
	a := newAttributes(wholeBytes + e.headerBytes())
	a.yes(KeyCheckpoint, e.checkpoint)
	a.status(status)
	a.at(KeyEndedAt, ended)
	e.timing(a, KeyTiming)
	if e.checkpoint { // no job led to it
		a.at(KeyQueuedAt, started)
		a.at(KeyStartedAt, started)
	} else {
		e.request(a, started)
	}
	a.number(KeyAttempt, e.job.Attempt)
	e.step(a, op, kind, extras{})
	s.Attributes = a.object()
	e.put(s)
}

// shown is a memo as the row shows it: a bare value is wrapped, since the column would turn texts that look like numbers into
// numbers. Who reads an output takes the wrapping off. Spec 15 §5.4, §8.6.
func shown(memo json.RawMessage) json.RawMessage {
	if len(memo) > 0 && memo[0] == '{' {
		return memo
	}
	return sdk.RunMemo(memo)
}

// isAI says whether a step asks a model.
func isAI(op sdk.Opcode, kind string) bool {
	return op == sdk.OpAIGateway || strings.HasPrefix(kind, "step.ai.")
}

// stepType is how the reference calls the kind of a step. Spec 15 §8.5.
func stepType(op sdk.Opcode, kind string) string {
	switch op {
	case sdk.OpSleep:
		return "sleep"
	case sdk.OpWaitForEvent:
		return "waitForEvent"
	case sdk.OpWaitForSignal:
		return "waitForSignal"
	case sdk.OpInvokeFunction:
		return "invoke"
	case sdk.OpAIGateway:
		return "aiInfer"
	case sdk.OpGateway:
		return "fetch"
	}
	switch kind {
	case "step.ai.wrap":
		return "aiWrap"
	case "step.ai.infer":
		return "aiInfer"
	case "step.sendEvent":
		return "sendEvent"
	case "step.sendSignal":
		return "sendSignal"
	}
	return "run"
}

// extras are the attributes of a step that waits, in the order of their keys.
type extras struct {
	invokeFunction string
	invokeEvent    ulid.ULID
	signal         string
	sleepMS        int
	sleeps         bool
	pause          *run.Pause
}

// step appends the keys from step.id on.
func (e *emitter) step(a *attributes, op *sdk.Op, kind string, x extras) {
	a.text(KeyStepID, op.ID)
	a.text(KeyInvokeFunction, x.invokeFunction)
	a.id(KeyInvokeTriggerEvent, x.invokeEvent)
	a.number(KeyMaxAttempts, e.job.MaxAttempts)
	a.text(KeyStepName, cut(displayName(op)))
	a.plain(KeyStepOp, string(op.Op))
	if stepOp(string(op.Op)) != OpGateway { // the op says it all
		a.text(KeyStepRunType, cut(kind))
	}
	a.text(KeySignal, x.signal)
	if x.sleeps {
		a.number(KeySleepDuration, x.sleepMS)
	}
	a.plain(KeyStepType, stepType(op.Op, kind))
	if op.UserlandID != "" {
		a.text(KeyUserlandID, cut(op.UserlandID))
		a.number(KeyUserlandIndex, op.UserlandIndex)
	}
	if x.pause != nil {
		a.at(KeyWaitExpiry, x.pause.Expires)
		a.text(KeyWaitIf, x.pause.Expression)
		if x.pause.Kind == run.PauseEvent {
			a.text(KeyWaitEvent, x.pause.Event)
		}
	}
}

func displayName(op *sdk.Op) string {
	switch {
	case op.DisplayName != "":
		return op.DisplayName
	case op.Name != "":
		return op.Name
	}
	return op.ID
}

// cut bounds a name, and leaves whole characters.
func cut(name string) string {
	if len(name) <= maxNameBytes {
		return name
	}
	return strings.ToValidUTF8(name[:maxNameBytes], "")
}

// began tells of a step that has begun: planned, asleep, or waiting.
func (e *emitter) began(op *sdk.Op) {
	for i := range e.t.Jobs {
		job := &e.t.Jobs[i]
		switch {
		case job.Kind == run.KindGateway && job.Edge.Target == op.ID && (op.Op == sdk.OpGateway || op.Op == sdk.OpAIGateway):
			e.waiting(op, StepID(op.ID), PlannedID(op.ID), Running, extras{})
		case job.Edge.Target == op.ID && op.Op == sdk.OpStepPlanned:
			e.waiting(op, StepID(op.ID), PlannedID(op.ID), Queued, extras{})
		case job.Kind == run.KindSleep && job.Edge.Outgoing == op.ID && op.Op == sdk.OpSleep:
			e.waiting(op, SleepID(op.ID), SleepID(op.ID), Sleeping, extras{sleeps: true, sleepMS: sleepMS(e.now, job.At)})
		default:
			continue
		}
		return
	}
	for i := range e.t.Pauses {
		if pause := &e.t.Pauses[i]; pause.Op == op.ID && pause.Kind != run.PauseCancel {
			e.waits(op, pause)
			return
		}
	}
	if slices.Contains(e.t.Begun, op.ID) {
		e.waiting(op, StepID(op.ID), PlannedID(op.ID), Running, extras{})
	}
}

// sleepMS is from the one instant to the other as milliseconds see them: a time that is kept is cut to the millisecond, and from what is left
// of it the sleep must come to the very one that the app named.
func sleepMS(now, until time.Time) int { return int(until.UnixMilli() - now.UnixMilli()) }

// waits tells of a step that waits for something from outside.
func (e *emitter) waits(op *sdk.Op, pause *run.Pause) {
	x, status := extras{pause: pause}, Waiting
	switch pause.Kind {
	case run.PauseSignal:
		x.signal = pause.Signal
	case run.PauseInvoke:
		status = Invoking
		x.invokeFunction, x.invokeEvent = e.invocation(op.ID)
	case run.PauseEvent, run.PauseCancel:
	}
	e.waiting(op, StepID(op.ID), StepID(op.ID), status, x)
}

// invocation finds the event that the transition invokes a function with, and which function.
func (e *emitter) invocation(step string) (function string, id ulid.ULID) {
	want := e.state.ID.String() + "." + step
	for i := range e.published {
		if e.published[i].Name != event.FunctionInvoked {
			continue
		}
		if target, correlation := event.Target(e.published[i].Event); correlation == want {
			return target, e.published[i].InternalID
		}
	}
	return "", ulid.ULID{}
}

// waiting adds the row of a step that waits.
func (e *emitter) waiting(op *sdk.Op, dynamic, id string, status Status, x extras) {
	if mark(&e.opened, dynamic) {
		return
	}
	s := e.span(NameStep, id, status)
	s.Dynamic = dynamic
	kind, input := op.About()
	s.Input, s.AI = input, isAI(op.Op, kind)
	a := newAttributes(wholeBytes + e.headerBytes())
	a.yes(KeyCheckpoint, e.checkpoint)
	a.status(status)
	e.planTiming(a, status)
	a.plain(KeyGroupID, e.group())
	a.text(KeyJobID, e.job.ID)
	a.at(KeyQueuedAt, e.now)
	e.response(a)
	a.at(KeyScheduledAt, e.now)
	if status != Queued {
		a.at(KeyStartedAt, e.now)
	}
	a.number(KeyAttempt, 0)
	e.step(a, op, kind, x)
	s.Attributes = a.object()
	e.put(s)
}

// gatewayed tells of a request that was made for a step.
func (e *emitter) gatewayed(in run.Gatewayed) {
	step := in.Job.Edge.Target
	if e.t.Current.Fate == run.FateRetry && in.Failure != nil {
		e.requested(AttemptID(step, in.Job.Attempt), Errored, failed(*in.Failure, nil))
		return
	}
	for _, saved := range e.t.Steps {
		if saved.ID != step || e.isTold(step) {
			continue
		}
		status := Completed
		if _, failed := sdk.Result(saved.Memo); failed {
			status = Failed
		}
		e.requested(StepID(step), status, shown(saved.Memo))
	}
}

// requested adds the row of a request that was made for a step.
func (e *emitter) requested(id string, status Status, output json.RawMessage) {
	op := sdk.Op{Op: sdk.OpGateway, ID: e.job.Edge.Target, DisplayName: e.job.Edge.TargetName}
	if e.job.Gateway != nil {
		op.Op = sdk.Opcode(e.job.Gateway.Op)
	}
	s := e.span(NameStep, id, status)
	s.Start, s.Output, s.AI = e.callStart(), output, isAI(op.Op, "")
	a := newAttributes(wholeBytes)
	a.status(status)
	a.at(KeyEndedAt, e.now)
	a.text(KeyMetadata, string(e.exchange.Metadata))
	e.request(a, e.callStart())
	a.number(KeyAttempt, e.job.Attempt)
	if e.exchange.Status != 0 {
		a.number(KeyGatewayOutputSize, e.exchange.Size)
		a.number(KeyGatewayStatusCode, e.exchange.Status)
	}
	e.step(a, &op, "", extras{})
	s.Attributes = a.object()
	e.put(s)
}

// rest tells of the steps that got their memo otherwise than by an op: sleeps and waits that ended.
func (e *emitter) rest() {
	for i := range e.t.Steps {
		step := &e.t.Steps[i]
		if e.isTold(step.ID) {
			continue
		}
		if e.job.Kind == run.KindSleep && e.job.Edge.Outgoing == step.ID {
			a := newAttributes(smallBytes)
			a.status(Completed)
			a.at(KeyEndedAt, e.now)
			e.extend(SleepID(step.ID), "end", Completed, a.object())
			continue
		}
		e.waited(step)
	}
}

// waited tells of a wait that has ended.
func (e *emitter) waited(step *run.Step) {
	pause, known := e.pause(step.ID)
	kind := pause.Kind
	expired := e.job.Kind == run.KindPause || e.replied || e.checkpoint // given up for another wait, as its timeout would
	status := Completed
	switch _, failed := sdk.Result(step.Memo); {
	case kind == run.PauseInvoke && (failed || expired):
		status = Failed
	case expired:
		status = TimedOut
	}
	a := newAttributes(smallBytes)
	a.status(status)
	a.at(KeyEndedAt, e.now)
	if kind == run.PauseInvoke {
		a.id(KeyInvokeFinishEvent, e.ended.event)
		a.id(KeyInvokeRun, e.ended.run)
	}
	if !known {
		a.text(KeyStepID, step.ID)
	}
	a.flag(KeyWaitExpired, expired)
	if kind == run.PauseEvent {
		a.id(KeyWaitMatched, e.ended.event)
	}
	row := e.extend(StepID(step.ID), "end", status, a.object())
	if !known {
		row.Name, row.ID = NameStep, StepID(step.ID) // it ended as it began
	}
	if string(step.Memo) != "null" {
		row.Output = shown(step.Memo)
	}
}

// pause is what a step of the run waits for.
func (e *emitter) pause(step string) (run.Pause, bool) {
	for _, id := range e.t.Drop {
		if pause := e.state.Pauses[id]; id != uuid.Nil && pause.Op == step {
			return pause, true
		}
	}
	return run.Pause{}, false
}

// deferred tells of a run that is to be started when this one ends, or not any more.
func (e *emitter) deferred(op *sdk.Op) {
	if op.Op == sdk.OpDeferAdd {
		d, added := e.t.Defers[op.ID]
		if _, known := e.state.Defers[op.ID]; !added || known || mark(&e.opened, "defer "+op.ID) {
			return
		}
		s := e.span(NameDefer, DeferID(e.state.ID, op.ID), "")
		a := newAttributes(smallBytes)
		a.text(KeyDeferFunction, d.Slug)
		a.text(KeyDeferID, op.ID)
		a.plain(KeyDeferStatus, deferStatus(d.Status))
		a.text(KeyDeferUserlandID, cut(op.UserlandID))
		s.Attributes = a.object()
		e.put(s)
		return
	}
	for _, id := range slices.Sorted(maps.Keys(e.t.Defers)) {
		d := e.t.Defers[id]
		before, known := e.state.Defers[id]
		if !known || before.Status == d.Status || d.Status != run.DeferAborted || mark(&e.opened, "abort "+id) {
			continue
		}
		a := newAttributes(smallBytes)
		a.plain(KeyDeferStatus, deferStatus(d.Status))
		e.extend(DeferID(e.state.ID, id), "abort", "", a.object())
	}
}

// deferStatus is how the reference writes it. Spec 15 §8.5.
func deferStatus(status run.DeferStatus) string {
	switch status {
	case run.DeferAborted:
		return "aborted"
	case run.DeferRejected:
		return "rejected"
	case run.DeferAfterRun:
	}
	return "after_run"
}
