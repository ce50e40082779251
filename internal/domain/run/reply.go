package run

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/metadata"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

// replied decides what an answer means. Spec 02 §7.
func (s State) replied(in Replied) Transition {
	t := s.unchanged(FateDone)
	t.StartedAt = in.CalledAt
	reply := in.Reply

	if reply.Failure != nil {
		s.attemptFailed(&t, in, *reply.Failure)
		return t
	}
	if reply.Ops == nil {
		s.finish(&t, outcome{status: Completed, output: reply.Output, response: reply.Response}, in.Now)
		return t
	}
	s.handleOps(&t, in)
	return t
}

// attemptFailed retries the job in hand, or ends the run when no attempt is left. Whatever else the transition saves
// stays saved.
func (s State) attemptFailed(t *Transition, in Replied, failure sdk.Failure) {
	if !failure.NoRetry && !in.Job.LastAttempt() {
		s.retry(t, in, &failure)
		return
	}
	s.finish(t, outcome{
		status: Failed, output: in.Reply.Output, plainText: in.Reply.PlainText, response: in.Reply.Response, failure: &failure,
	}, in.Now)
}

// retry gives the job in hand another attempt, when the app asked for it or after the backoff. failure is nil when it is a step
// that failed.
func (s State) retry(t *Transition, in Replied, failure *sdk.Failure) {
	at := in.Reply.RetryAt
	if at.IsZero() {
		at = in.Now.Add(in.Backoff.After(in.Job.Attempt))
	}
	t.Current = Disposition{Fate: FateRetry, At: at, Attempt: in.Job.Attempt + 1, Failure: failure}
}

// group collects what the ops of one answer add up to.
type group struct {
	in  Replied
	key string
	// completed is the last op that got its memo in this answer, with the kind of call that follows it.
	completed     string
	completedKind Kind
	completedMode Mode
	// retry is set when a step failed and has attempts left, refused when the server could not do what an op asks for.
	retry   bool
	refused *sdk.Failure
	// next asks for another call although no step was saved.
	next bool
}

// handleOps handles a list of ops. Spec 02 §8.
func (s State) handleOps(t *Transition, in Replied) {
	ops := in.Reply.Ops
	if len(ops) > in.Limits.OpsPerReply {
		s.finish(t, tooManyOps(in.Limits.OpsPerReply), in.Now)
		return
	}
	if failure := refuse(ops); failure != nil {
		s.attemptFailed(t, in, *failure)
		return
	}
	if t.RequestVersion == UnknownVersion {
		t.RequestVersion = in.Reply.RequestVersion
	}

	g := group{in: in, completedKind: KindEdge}
	if countDriving(ops) > 1 {
		t.ForceStepPlan = true
		g.key = s.openGroup(t, ops)
	}
	for _, op := range waitsFirst(ops) {
		if end := s.handleOp(t, &g, op); end != nil {
			s.finish(t, *end, in.Now)
			return
		}
	}
	s.goOn(t, &g)
}

// countDriving counts the ops that drive progress; defers do not.
func countDriving(ops []sdk.Op) int {
	n := 0
	for _, op := range ops {
		if op.Op != sdk.OpDeferAdd && op.Op != sdk.OpDeferAbort {
			n++
		}
	}
	return n
}

// waitsFirst orders ops as they are handled: what is to be known before a step may have its effect comes first.
func waitsFirst(ops []sdk.Op) []sdk.Op {
	first := func(op sdk.Op) bool {
		return op.Op == sdk.OpWaitForEvent || op.Op == sdk.OpDeferAdd || op.Op == sdk.OpDeferAbort
	}
	if !slices.ContainsFunc(ops, first) {
		return ops
	}
	ordered := slices.Clone(ops)
	slices.SortStableFunc(ordered, func(a, b sdk.Op) int {
		switch firstA, firstB := first(a), first(b); {
		case firstA && !firstB:
			return -1
		case firstB && !firstA:
			return 1
		}
		return 0
	})
	return ordered
}

// refuse returns why an answer cannot be handled at all.
func refuse(ops []sdk.Op) *sdk.Failure {
	for _, op := range ops {
		if op.Op == sdk.OpStepError && op.Error == nil {
			return &sdk.Failure{Text: fmt.Sprintf("OpcodeStepError received without Error field set: %s", op.ID), Name: "Error", Engine: true}
		}
		if op.ID == "" && op.Op != sdk.OpNone && op.Op != sdk.OpRunComplete && op.Op != sdk.OpSyncRunComplete {
			return &sdk.Failure{Text: fmt.Sprintf("the app answered with a %s op that has no id", op.Op), Name: "Error", Engine: true}
		}
	}
	return nil
}

// openGroup makes the ops of the answer a parallel group whose end is joined by one call, if the SDK knows such groups.
// Unlike the reference, which only joins groups that contain an op still to be done, it joins every list: several
// finished steps in one answer lead to one further call, not to one each. Spec 02 §8.1, §22 #32.
func (s State) openGroup(t *Transition, ops []sdk.Op) (key string) {
	if t.RequestVersion < 2 {
		return ""
	}
	var open, all []string
	for _, op := range ops {
		if !endsWithMemo(op.Op) {
			continue
		}
		all = append(all, op.ID)
		if !s.has(op.ID) {
			open = append(open, op.ID)
		}
	}
	slices.Sort(open)
	t.Pending, t.SetPending = slices.Compact(open), true
	return ids.CoalesceKey(s.ID.String(), all)
}

// endsWithMemo reports whether the op has a memo, or will have one.
func endsWithMemo(op sdk.Opcode) bool {
	switch op {
	case sdk.OpNone, sdk.OpDiscoveryRequest, sdk.OpStepNotFound, sdk.OpRunComplete, sdk.OpSyncRunComplete, sdk.OpDeferAdd, sdk.OpDeferAbort:
		return false
	default:
		return true
	}
}

// handleOp handles one op. It returns the run's end if the op ends it.
func (s State) handleOp(t *Transition, g *group, op sdk.Op) *outcome {
	switch op.Op {
	case sdk.OpNone:
	case sdk.OpStep:
		return s.save(t, g, op, KindEdge, rawMemo(op.Data))
	case sdk.OpStepRun:
		return s.save(t, g, op, KindEdge, sdk.RunMemo(op.Data))
	case sdk.OpStepError:
		if !op.Error.NoRetry && !g.in.Job.LastAttempt() {
			g.retry = true
			attach(t, g, op, g.in.Job.Attempt)
			return nil
		}
		return s.save(t, g, op, KindEdgeError, sdk.ErrorMemo(*op.Error))
	case sdk.OpStepFailed:
		if op.Error == nil {
			op.Error = &sdk.OpError{Name: "Error", Message: "step failed"}
		}
		return s.save(t, g, op, KindEdgeError, sdk.ErrorMemo(*op.Error))
	case sdk.OpStepPlanned:
		if !s.has(op.ID) {
			s.add(t, s.planned(g.in.Job, op, g.key, g.in.Now))
		}
	case sdk.OpSleep:
		return s.startSleep(t, g, op)
	case sdk.OpRunComplete:
		return s.complete(op)
	case sdk.OpSyncRunComplete:
		if s.Endpoint == nil {
			return unsupported(op)
		}
		return s.complete(op)
	case sdk.OpDiscoveryRequest:
		g.next = true
	case sdk.OpWaitForEvent:
		return s.waitForEvent(t, g, op)
	case sdk.OpWaitForSignal:
		return s.waitForSignal(t, g, op)
	case sdk.OpInvokeFunction:
		return s.invoke(t, g, op)
	case sdk.OpAIGateway, sdk.OpGateway:
		if !s.has(op.ID) {
			s.add(t, s.gateway(g.in.Job, op, g.key, g.in.Now))
		}
	case sdk.OpDeferAdd:
		s.deferAdd(t, op)
	case sdk.OpDeferAbort:
		s.deferAbort(t, op)
	case sdk.OpStepNotFound:
		return s.endOrRetry(g, sdk.Failure{Text: fmt.Sprintf("the app could not find step %q to run", displayName(op)), Name: "Error", Engine: true})
	default:
		return unsupported(op)
	}
	return nil
}

// endOrRetry is for an op that fails the attempt: the job is retried, or the run ends.
func (s State) endOrRetry(g *group, failure sdk.Failure) *outcome {
	if !g.in.Job.LastAttempt() {
		g.retry, g.refused = true, &failure
		return nil
	}
	return &outcome{status: Failed, failure: &failure}
}

func (s State) startSleep(t *Transition, g *group, op sdk.Op) *outcome {
	if s.has(op.ID) {
		return nil
	}
	until, err := sdk.SleepUntil(op, g.in.Now)
	if tooLong := (*sdk.TooLongError)(nil); errors.As(err, &tooLong) {
		failure := tooLong.Failure()
		return &outcome{status: Failed, failure: &failure}
	}
	if err != nil {
		return s.endOrRetry(g, sdk.Failure{Text: fmt.Sprintf("sleep %q: %v", displayName(op), err), Name: "Error", Engine: true})
	}
	s.add(t, s.sleep(g.in.Job, op, g.key, until))
	return nil
}

// save memoises an op's result. A second result for the same op is ignored: the first one is the truth.
func (s State) save(t *Transition, g *group, op sdk.Op, kind Kind, memo []byte) *outcome {
	saved := func(step Step) bool { return step.ID == op.ID }
	if s.has(op.ID) || slices.ContainsFunc(t.Steps, saved) {
		return nil
	}
	size := s.Size + len(memo)
	for _, step := range t.Steps {
		size += len(step.Memo)
	}
	if size > g.in.Limits.StateBytes {
		return stateLimitReached(g.in.Limits.StateBytes)
	}
	t.Steps = append(t.Steps, Step{ID: op.ID, Memo: memo, Name: displayName(op), Op: op.Op})
	attach(t, g, op, metadata.FinalAttempt)
	g.completed, g.completedKind = op.ID, kind
	if Mode(op.Mode) == ModeRace {
		g.completedMode = ModeRace
	}
	return nil
}

// attach keeps the metadata that came with an attempt of a step.
func attach(t *Transition, g *group, op sdk.Op, attempt int) {
	if g.in.Limits.Metadata && len(op.Metadata) > 0 {
		t.Metadata = append(t.Metadata, metadata.OfOp(op.ID, attempt, op.Metadata)...)
	}
}

// add appends a job unless the run has it already: an op that is reported twice is one job.
func (s State) add(t *Transition, job Job) {
	if !s.hasJob(*t, job.ID) {
		t.Jobs = append(t.Jobs, job)
	}
}

// hasJob reports whether the run has the job already, or gets it by the transition.
func (s State) hasJob(t Transition, id string) bool {
	_, exists := s.Jobs[id]
	return exists || slices.ContainsFunc(t.Jobs, func(job Job) bool { return job.ID == id })
}

// goOn decides which call follows the answer, once all its ops are handled. Spec 02 §8.3.
func (s State) goOn(t *Transition, g *group) {
	job, now := g.in.Job, g.in.Now
	if g.retry {
		s.retry(t, g.in, g.refused)
	}
	mode := g.completedMode
	if mode == ModeNone {
		mode = job.Mode
	}
	switch {
	case g.completed != "" && s.goesOn(job, mode, g, *t):
		parent := job
		if g.key != "" {
			parent.CoalesceKey = g.key
		}
		parent.Mode = mode
		s.leaveGroup(t, g)
		s.add(t, s.discovery(parent, g.completed, g.completedKind, now))
	case g.next && g.completed == "":
		s.redrive(t, g)
	}
	if s.jobsLeft(job, *t) == 0 {
		s.redrive(t, g)
	}
}

// goesOn is joins for an answer: a job that is retried is still there to complete its group.
func (s State) goesOn(job Job, mode Mode, g *group, t Transition) bool {
	if g.retry && mode != ModeRace {
		return s.pendingLeft(t) == 0
	}
	return s.joins(job, mode, t)
}

// leaveGroup closes the parallel group when its last member is done. The flag that the very same answer set stays for
// the next call. Spec 02 §8.4 (b).
func (s State) leaveGroup(t *Transition, g *group) {
	if countDriving(g.in.Reply.Ops) <= 1 && t.RequestVersion >= 2 {
		t.ForceStepPlan = false
	}
}

// redrive is for an answer after which nothing would lead the run on: no memo, no job, no end. If the app has made
// progress since the call it is called again at once; otherwise the attempt counts as failed, so that an app that
// never says anything ends its run instead of being called for ever.
func (s State) redrive(t *Transition, g *group) {
	job := g.in.Job
	last := s.last(*t)
	if len(t.Defers) > 0 && g.completed == "" && !g.retry {
		// The app has only told of runs to come. It goes on where it was.
		next := s.discovery(Job{MaxAttempts: job.MaxAttempts}, job.Edge.Outgoing, KindEdge, g.in.Now)
		next.ID = ids.DiscoveryJob(s.key(), g.in.Reply.Ops[0].ID)
		s.add(t, next)
	} else if last != "" && last != job.Edge.Outgoing && g.completed == "" {
		next := s.discovery(job, last, KindEdge, g.in.Now)
		next.ID = ids.DiscoveryJob(s.key(), last)
		if next.ID != job.ID {
			s.add(t, next)
		}
	}
	if s.jobsLeft(job, *t) > 0 {
		return
	}
	failure := sdk.Failure{Text: "the app answered without a step, a result or an error, and nothing else is left to wait for", Name: "Error", Engine: true}
	if g.completed != "" || len(t.Steps) > 0 {
		failure.Text = "the app did not answer for the step that it was asked to run"
	}
	s.attemptFailed(t, g.in, failure)
}

// last is the op saved last, after the transition.
func (s State) last(t Transition) string {
	if n := len(t.Steps); n > 0 {
		return t.Steps[n-1].ID
	}
	if n := len(s.Stack); n > 0 {
		return s.Stack[n-1]
	}
	return ""
}

func rawMemo(data []byte) []byte {
	if len(data) == 0 {
		return []byte("null")
	}
	return data
}
