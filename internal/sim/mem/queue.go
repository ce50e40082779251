package mem

import (
	"context"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// Lease implements ports.Queue. Functions take turns by who was served longest ago and has a job for which there is room.
func (b *Backend) Lease(ctx context.Context) (ports.Lease, error) {
	var lease ports.Lease
	err := b.wait(ctx, func() (bool, time.Time) {
		var ok bool
		var next time.Time
		lease, next, ok = b.lease()
		return ok, next
	})
	return lease, err
}

// TryLease is Lease that does not wait; false when no job is due for which there is room.
func (b *Backend) TryLease() (ports.Lease, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	lease, _, ok := b.lease()
	return lease, ok
}

// NextDue is when the next job or hold that nobody has is due, or the next event may be taken; zero when there is none. Jobs that wait for
// others to make room are not due.
func (b *Backend) NextDue() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	best, next := b.next()
	if best != nil {
		next = b.due(best)
	}
	for _, w := range b.inbox {
		switch {
		case w.taken:
		case w.at.IsZero(): // it waits for nobody but a taker
			next = earlier(next, b.clock.Now())
		default:
			next = earlier(next, w.at)
		}
	}
	for _, h := range b.holds {
		if !h.taken {
			next = earlier(next, h.from())
		}
	}
	return next
}

func (b *Backend) lease() (ports.Lease, time.Time, bool) {
	best, next := b.next()
	defer b.meet()
	if best == nil {
		return ports.Lease{}, next, false
	}
	now := b.clock.Now()
	limited := best.refused != ""
	b.meter.HandedOut(best.FunctionID, best.Kind, max(now.Sub(best.At), 0), limited)
	best.refused = ""
	b.passes(best)
	b.token++
	b.served(best)
	b.occupy(best, now)
	best.token, best.since = b.token, now.UTC()
	best.generation++
	return ports.Lease{Job: best.Job, Generation: best.generation, Token: best.token, Limited: limited}, next, true
}

// next is the job whose turn it is, nil when there is none, and when there may be another though nothing changes.
func (b *Backend) next() (best *job, next time.Time) {
	now := b.clock.Now()
	steps, runs := b.taken()
	for _, j := range b.jobs {
		if j.token != 0 || j.parked {
			continue
		}
		if due := b.due(j); due.After(now) {
			next = earlier(next, due)
			continue
		}
		fits, later := b.room(j, now, steps, runs)
		switch {
		case !fits:
			next = earlier(next, later)
		case best == nil || b.before(j, best):
			best = j
		}
	}
	return best, next
}

// leased returns the job of a lease that still holds.
func (b *Backend) leased(l ports.Lease) *job {
	for _, j := range b.jobs {
		if j.RunID == l.Job.RunID && j.ID == l.Job.ID && l.Token != 0 && j.token == l.Token {
			return j
		}
	}
	return nil
}

// Return implements ports.Queue.
func (b *Backend) Return(ctx context.Context, l ports.Lease, at time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	j := b.leased(l)
	if j == nil {
		return ports.ErrLeaseLost
	}
	j.token = 0
	if at.After(j.At) {
		j.At = at
	}
	b.awaken()
	return nil
}

// Park implements ports.Queue.
func (q queue) Park(ctx context.Context, l ports.Lease, reason string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b := q.Backend
	b.mu.Lock()
	defer b.mu.Unlock()
	j := b.leased(l)
	if j == nil {
		return ports.ErrLeaseLost
	}
	j.token, j.parked = 0, true
	b.parked[j.ID] = reason
	b.awaken()
	return nil
}

// Generation implements ports.Queue.
func (b *Backend) Generation(ctx context.Context, run ulid.ULID, id string) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, j := range b.jobs {
		if j.RunID == run && j.ID == id && !j.parked {
			return j.generation, nil
		}
	}
	return 0, ports.ErrNotFound
}

// Jobs implements ports.Queue.
func (b *Backend) Jobs(ctx context.Context, run ulid.ULID, ids []string) ([]ports.QueuedJob, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var known []ports.QueuedJob
	for _, id := range ids {
		for _, j := range b.jobs {
			if j.RunID != run || j.ID != id || j.parked {
				continue
			}
			known = append(known, j.queued())
		}
	}
	return known, nil
}

// Begun implements ports.Queue.
func (b *Backend) Begun(ctx context.Context) (map[ulid.ULID]time.Time, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	begun := map[ulid.ULID]time.Time{}
	for _, j := range b.jobs {
		if j.token != 0 && !j.parked && j.Kind == run.KindStart {
			begun[j.RunID] = j.since
		}
	}
	return begun, nil
}

func (j *job) queued() ports.QueuedJob {
	if j.token == 0 {
		return ports.QueuedJob{Job: j.Job}
	}
	return ports.QueuedJob{Job: j.Job, Since: j.since}
}

// before orders jobs that are due: the function that was served longest ago first, then the lowest score, then the job due longest.
func (b *Backend) before(a, other *job) bool {
	if turn, turnOther := b.turn[a.FunctionID], b.turn[other.FunctionID]; turn != turnOther {
		return turn < turnOther
	}
	if score, scoreOther := b.score(a), b.score(other); score != scoreOther {
		return score < scoreOther
	}
	return a.At.Before(other.At)
}

// served notes that the job's function had its turn.
func (b *Backend) served(j *job) { b.turn[j.FunctionID] = b.token }
