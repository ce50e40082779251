package run

import "github.com/ingothq/ingot/internal/domain/sdk"

// gatewayed decides what the outcome of a step's request means: its memo is saved and the run goes on, or the request is
// made again. Spec 02 §14.
func (s State) gatewayed(in Gatewayed) Transition {
	t := s.unchanged(FateDone)
	replied := Replied{Job: in.Job, CalledAt: s.StartedAt, Now: in.Now, Limits: in.Limits, Backoff: in.Backoff}
	if in.Failure != nil && !in.Failure.NoRetry && !in.Job.LastAttempt() {
		s.retry(&t, replied, in.Failure)
		return t
	}
	g := group{in: replied, completedKind: KindEdge}
	op := sdk.Op{ID: in.Job.Edge.Target, DisplayName: in.Job.Edge.TargetName, Mode: string(in.Job.Mode)}
	if end := s.save(&t, &g, op, KindEdge, in.Memo); end != nil {
		s.finish(&t, *end, in.Now)
		return t
	}
	s.goOn(&t, &g)
	return t
}
