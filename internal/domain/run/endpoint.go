package run

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

// Endpoint makes a run one of a durable endpoint: it began inside a request to the app, which reports its steps while it
// works on it. Once the run has to wait for something, the server leads it on by calling the endpoint again. The request
// itself is in the data of the run's event. Spec 02 §20.
type Endpoint struct {
	// Method is the request's HTTP method.
	Method string
	// Language is that of the app's SDK, "js" or empty for any other; SDKs differ in how they describe the request.
	Language string
}

// AdoptAfter is how long nothing may be heard of the request that a run of a durable endpoint began in, before the server
// leads the run on itself: its app may have died. It is as long as the longest call, so that a step that is still at work is
// hardly ever run twice.
const AdoptAfter = 2 * time.Hour

// syncRetryDelay is how long after a step failed inside the client's request the endpoint is called again. Spec 02 §10.
const syncRetryDelay = 5 * time.Second

// Synced says that a durable endpoint reports what it did in the client's request, and what it is to wait for. Spec 02 §19.
type Synced struct {
	Ops []sdk.Op
	// MaxAttempts is how often a job of the function is tried.
	MaxAttempts int
	Now         time.Time
	Limits      Limits
	// Conflict is a signal of the ops that another run waits for; empty for none.
	Conflict string
}

func (Synced) input() {}

// ErrNotEndpoint says that the run is not one of a durable endpoint.
var ErrNotEndpoint = errors.New("run is not one of a durable endpoint")

// adoption is the job that calls the endpoint when nothing more is heard of the client's request. It stands in the place of
// the run's first job and is put off with each report; so the run has a job at all times.
func (s State) adoption(maxAttempts int, now time.Time) Job {
	job := s.child(Job{MaxAttempts: maxAttempts}, ids.StartJob(s.key()), KindStart, now.Add(AdoptAfter))
	job.Edge.Outgoing = EdgeTrigger
	return job
}

// synced saves the steps of a report and begins what it asks for. A step that has a memo keeps it, so that a report may be
// repeated. What the server cannot do is a *CheckpointError, and nothing of the report is saved.
func (s State) synced(in Synced) (Transition, error) {
	if s.Endpoint == nil {
		return Transition{}, fmt.Errorf("run %s: %w", s.ID, ErrNotEndpoint)
	}
	t := s.unchanged(FateNone)
	t.StartedAt = in.Now
	if len(in.Ops) > in.Limits.OpsPerReply {
		s.finish(&t, tooManyOps(in.Limits.OpsPerReply), in.Now)
		return t, nil
	}
	if failure := refuse(in.Ops); failure != nil {
		return Transition{}, &CheckpointError{Reason: failure.Text}
	}
	g := s.report(in)
	if countDriving(in.Ops) > 1 {
		t.ForceStepPlan = true
		g.key = s.openGroup(&t, in.Ops)
	}
	if end := s.syncOps(&t, &g, in); end != nil {
		s.finish(&t, *end, in.Now)
		return t, nil
	}
	if g.refused != nil {
		return Transition{}, &CheckpointError{Reason: g.refused.Text}
	}
	s.adopt(&t, &g, in)
	return t, nil
}

// report is a list of ops as a group without a call: it belongs to the job that stands in for the client's request.
func (s State) report(in Synced) group {
	parent := s.adoption(in.MaxAttempts, in.Now)
	if n := len(s.Stack); n > 0 {
		parent.Edge.Outgoing = s.Stack[n-1]
	}
	return group{completedKind: KindEdge, in: Replied{
		Job: parent, Reply: sdk.Reply{Ops: in.Ops, RequestVersion: s.RequestVersion}, Now: in.Now, Limits: in.Limits, Conflict: in.Conflict,
	}}
}

// syncOps handles the ops of a report. The one that ends the run takes effect after all others, wherever it stands.
func (s State) syncOps(t *Transition, g *group, in Synced) *outcome {
	if Ends(in.Ops) {
		g.in.Limits.StateBytes = maxStateBytes // what the run has done is kept; it needs no room for more
	}
	var last *outcome
	for _, op := range waitsFirst(in.Ops) {
		var end *outcome
		switch op.Op {
		case sdk.OpStepError:
			if !op.Error.NoRetry && in.MaxAttempts > 1 {
				s.add(t, s.syncRetry(g.in.Job, op, in.Now))
				continue
			}
			end = s.failSync(t, g, op)
		case sdk.OpStepFailed:
			end = s.failSync(t, g, op)
		case sdk.OpRunComplete, sdk.OpSyncRunComplete:
			last = s.complete(op)
		default:
			end = s.handleOp(t, g, op)
		}
		if end != nil {
			return end
		}
	}
	return last
}

// maxStateBytes is no limit.
const maxStateBytes = int(^uint(0) >> 1)

// Ends reports whether a report ends its run.
func Ends(ops []sdk.Op) bool {
	return slices.ContainsFunc(ops, func(op sdk.Op) bool { return op.Op == sdk.OpRunComplete || op.Op == sdk.OpSyncRunComplete })
}

// syncRetry calls the endpoint again for a step that failed, as the second attempt: the first was in the client's request.
func (s State) syncRetry(parent Job, op sdk.Op, now time.Time) Job {
	job := s.child(parent, ids.SyncRetryJob(s.key(), op.ID), KindEdge, now.Add(syncRetryDelay))
	job.Edge.Outgoing = parent.Edge.Outgoing
	job.Attempt = 1
	return job
}

// failSync saves the final error of a step and has the endpoint called again, so that its code may handle it.
func (s State) failSync(t *Transition, g *group, op sdk.Op) *outcome {
	op.Op = sdk.OpStepFailed
	if end := s.handleOp(t, g, op); end != nil {
		return end
	}
	s.add(t, s.discovery(g.in.Job, op.ID, KindEdgeError, g.in.Now))
	return nil
}

// complete is the end that a RunComplete op of a durable endpoint means: its answer to the client if it says one, otherwise
// a result as of any function.
func (s State) complete(op sdk.Op) *outcome {
	if result, ok := sdk.ParseHTTPResult(op.Data); ok && s.Endpoint != nil {
		return answered(result)
	}
	return &outcome{status: Completed, output: op.Data}
}

// answered ends a run with the endpoint's answer to its client: the run succeeded if the answer did.
func answered(result sdk.HTTPResult) *outcome {
	o := &outcome{status: Completed, response: &result}
	o.output, o.plainText = sdk.ParseOutput([]byte(result.Body))
	if !result.Successful() {
		o.status = Failed
		o.failure = &sdk.Failure{Text: fmt.Sprintf("invalid status code: %d", result.Status), Name: "Error"}
	}
	return o
}

// adopt decides who leads the run on: jobs of its own once there are any, the client's request until then.
func (s State) adopt(t *Transition, g *group, in Synced) {
	waiting := g.in.Job
	if g.next && len(t.Jobs) == 0 {
		next := s.discovery(waiting, s.last(*t), KindEdge, in.Now)
		next.ID = ids.DiscoveryJob(s.key(), in.Ops[0].ID)
		s.add(t, next)
	}
	if _, there := s.Jobs[waiting.ID]; there {
		t.DropJobs = append(t.DropJobs, waiting.ID)
	}
	if s.jobsLeft(Job{}, *t) == 0 {
		t.Jobs = append(t.Jobs, s.adoption(in.MaxAttempts, in.Now))
	}
}
