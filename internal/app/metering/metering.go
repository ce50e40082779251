// Package metering tells a meter what became of runs. It stands before the store, which all use cases go through, so that nothing that
// is committed goes uncounted and nothing counts that is not.
package metering

import (
	"context"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// Store is a store whose commits a meter is told of.
type Store struct {
	ports.Store
	meter ports.Meter
}

// NewStore returns the store, metered.
func NewStore(store ports.Store, meter ports.Meter) Store { return Store{store, meter} }

// Schedule implements ports.Store. Of a duplicate and of what is kept back nothing is counted but the decision.
func (s Store) Schedule(ctx context.Context, in ports.Schedule) ([]ports.Scheduled, error) {
	answers, err := s.Store.Schedule(ctx, in)
	if err != nil {
		return answers, err
	}
	for at, answer := range answers {
		next := &in.Runs[at]
		function := next.State.FunctionID
		s.meter.Decided(function, answer.Result)
		if answer.Result != flow.Started {
			continue
		}
		if !next.State.StartedAt.IsZero() { // it has begun in its client's request
			s.meter.RunStarted(function)
		}
		count := callsOf(next.More)
		if calls(next.Start.Kind) {
			count++
		}
		if count > 0 {
			s.meter.CallsScheduled(function, count)
		}
	}
	for _, skipped := range in.Skipped {
		s.meter.Decided(skipped.FunctionID, flow.Skipped)
	}
	return answers, nil
}

// Commit implements ports.Store.
func (s Store) Commit(ctx context.Context, c ports.Commit) (run.State, error) {
	next, err := s.Store.Commit(ctx, c)
	if err != nil {
		return next, err
	}
	function, t := c.State.FunctionID, &c.Transition
	if t.Finish != nil {
		s.meter.RunEnded(function, t.Finish.Status)
		return next, nil
	}
	count := callsOf(t.Jobs)
	if t.Current.Fate == run.FateRetry && calls(c.Lease.Job.Kind) {
		count++
	}
	if count > 0 {
		s.meter.CallsScheduled(function, count)
	}
	return next, nil
}

// callsOf is how many of the jobs call the app.
func callsOf(jobs []run.Job) int {
	count := 0
	for i := range jobs {
		if calls(jobs[i].Kind) {
			count++
		}
	}
	return count
}

// calls says whether a kind of job calls the app. A sleep that is over does so itself.
func calls(kind run.Kind) bool {
	switch kind {
	case run.KindStart, run.KindEdge, run.KindEdgeError, run.KindSleep:
		return true
	case run.KindPause, run.KindGateway, run.KindCancel:
	}
	return false
}
