package run

import (
	"time"

	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

// key is the part that the IDs of all jobs of the run share: "<function>:<idempotency>". Spec 02 §1.
func (s State) key() string {
	return ids.RunKey(s.FunctionID, s.Idempotency, s.ID.String())
}

// child is a job that follows another one: it belongs to the same run, starts at attempt zero and inherits the number
// of attempts.
func (s State) child(parent Job, id string, kind Kind, at time.Time) Job {
	return Job{
		ID:          id,
		RunID:       s.ID,
		FunctionID:  s.FunctionID,
		Kind:        kind,
		At:          at,
		MaxAttempts: parent.MaxAttempts,
		Edge:        Edge{Incoming: EdgeStep},
	}
}

// discovery asks the app what comes next, after the op. The members of a coalesced group share one such job.
func (s State) discovery(parent Job, op string, kind Kind, now time.Time) Job {
	id := ids.DiscoveryJob(s.key(), op)
	switch {
	case parent.CoalesceKey != "" && parent.Mode != ModeRace:
		id = ids.CoalescedJob(s.ID.String(), parent.CoalesceKey)
	case kind == KindEdgeError:
		id = ids.FailureJob(s.key(), op)
	}
	job := s.child(parent, id, kind, now)
	job.Edge.Outgoing = op
	return job
}

// planned has the app run one step of a group. It is due a moment early so that it goes before the discoveries of the
// same instant.
func (s State) planned(parent Job, op sdk.Op, key string, now time.Time) Job {
	job := s.child(parent, ids.PlannedJob(s.key(), op.ID), KindEdge, now.Add(-time.Millisecond))
	job.Edge.Outgoing = parent.Edge.Outgoing
	job.Edge.Target = op.ID
	job.Edge.TargetName = displayName(op)
	job.Mode = Mode(op.Mode)
	job.CoalesceKey = key
	return job
}

// sleep calls the app again when the time has come.
func (s State) sleep(parent Job, op sdk.Op, key string, until time.Time) Job {
	job := s.child(parent, ids.SleepJob(s.key(), op.ID), KindSleep, until)
	job.Edge.Outgoing, job.Edge.TargetName = op.ID, displayName(op)
	job.Mode = Mode(op.Mode)
	job.CoalesceKey = key
	return job
}

// gateway makes the request of a step.
func (s State) gateway(parent Job, op sdk.Op, key string, now time.Time) Job {
	job := s.planned(parent, op, key, now)
	job.Kind, job.At = KindGateway, now
	job.Gateway = &Gateway{Op: string(op.Op), Opts: op.Opts}
	return job
}

// waitEnd is how a wait ended. It is part of the ID of the call that follows, as the reference has it.
type waitEnd int

const (
	resumed waitEnd = iota
	timedOut
)

// afterWait calls the app when a wait has ended.
func (s State) afterWait(parent Job, op string, how waitEnd, now time.Time) Job {
	job := s.discovery(parent, op, KindEdge, now)
	switch {
	case parent.CoalesceKey != "" && parent.Mode != ModeRace:
	case how == resumed:
		job.ID = ids.ResumeJob(s.key(), op)
	default:
		job.ID = ids.TimeoutJob(s.key(), op)
	}
	return job
}

func displayName(op sdk.Op) string {
	for _, name := range []string{op.DisplayName, op.Name} {
		if name != "" {
			return name
		}
	}
	return op.ID
}
