package embedded

import (
	"context"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/ports"
)

// Waiting implements ports.Queue. The lock is held for one job at a time.
func (q *queue) Waiting(ctx context.Context, run ulid.ULID, jobs []string) ([]ports.JobWaiting, error) {
	var all []ports.JobWaiting
	for _, id := range jobs {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		why, payload, found := q.waitingFor(jobKey{run, id})
		if !found {
			continue
		}
		if err := complete(&why.QueuedJob, payload); err != nil {
			return nil, err
		}
		all = append(all, why)
	}
	return all, nil
}

func (q *queue) waitingFor(key jobKey) (why ports.JobWaiting, payload []byte, found bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.settleDue()
	}
	it := q.items[key]
	if it == nil {
		return ports.JobWaiting{}, nil, false
	}
	why.QueuedJob = queuedJob(key.run, it)
	switch it.state {
	case itemLeased, itemSettling:
		why.Reason = flow.InHand
	case itemWaiting:
		why.Reason, why.Expected = flow.DueLater, fromNanos(it.order)
	default:
		why.Waiting = q.whyDue(it, q.cfg.Clock.Now())
	}
	return why, it.payload, true
}

// whyDue is why a job that is due is not handed out. What counts is what there is room for now, not where its cell is: a cell that is ready
// may not have been tried yet, and one that is blocked may be about to be woken. The caller holds mu.
func (q *queue) whyDue(it *item, now time.Time) flow.Waiting {
	n := q.needsOf(it.cell)
	refused, limited := q.refusal(it.cell, n, now)
	why := flow.Waiting{Reason: flow.ForWorker}
	why.Ahead, why.AtLeast = q.ahead(it, refused.Key, now)
	switch {
	case !limited:
		why.Functions = turns(&q.ready, &it.cell.lane.ready)
		return why
	case refused.Key == n.bucket:
		tat := fromNanos(q.tats[n.bucket])
		limit := n.throttle.Limit(tat, now)
		why.Reason, why.Limit, why.Functions, why.Expected = flow.ForToken, &limit, 1, n.throttle.After(tat, now, why.Ahead)
		return why
	}
	limit := q.settings[it.cell.lane.function].LimitOf(refused, it.cell.keys)
	limit.Held = q.capacity.Held(refused.Key)
	why.Reason, why.Limit, why.Functions = flow.ForRoom, &limit, 1
	p := it.cell.pace
	if b := q.blockers[refused.Key]; b != nil {
		p = b.pace
		why.Functions = turns(&b.ring, q.waits[waitKey{b, it.cell.lane}])
	}
	if p != nil && p.key == refused.Key {
		why.Expected = p.Expect(why.Ahead, why.Functions, now)
	}
	return why
}

// turns is how many functions take turns in a ring, with one whose turn there this is, nil for none.
func turns(r *ring, own *turn) int {
	if own == nil || own.first() == nil {
		return r.count + 1
	}
	return r.count
}

// refusal is what keeps a cell back: what it waits under, if that still does; the bucket of the throttle; or one of the limits. The caller
// holds mu.
func (q *queue) refusal(c *cell, n *needs, now time.Time) (flow.Constraint, bool) {
	if b := c.blocker(); b != nil && !b.throttle {
		if limit := n.limit(b.key); q.capacity.Held(b.key) >= limit {
			return flow.Constraint{Key: b.key, Limit: limit}, true
		}
	}
	if n.throttle != nil && !n.throttle.Peek(fromNanos(q.tats[n.bucket]), now).Allowed {
		return flow.Constraint{Key: n.bucket}, true
	}
	return q.capacity.Refuses(n.all)
}

// ahead is how many jobs of its function come before a job and wait for the same, a key or, if that is empty, nothing; and whether there may
// be more. What comes before a place in a heap hangs together at its root, so no more is looked at than is counted, but for the cells that
// wait for something else. The caller holds mu.
func (q *queue) ahead(it *item, key string, now time.Time) (count int, more bool) {
	a := &ahead{it: it, left: flow.MostAhead, same: func(c *cell) bool {
		if b := c.blocker(); key != "" && b != nil && b.key == key {
			return true
		}
		refused, _ := q.refusal(c, q.needsOf(c), now)
		return refused.Key == key
	}}
	ready, own := &it.cell.lane.ready, it.cell.group.turn
	a.turn(ready)
	if own != ready {
		a.turn(own)
	}
	if b := q.blockers[key]; b != nil {
		if t := q.waits[waitKey{b, it.cell.lane}]; t != nil && t != own {
			a.turn(t)
		}
	}
	return a.count, a.more
}

// ahead counts jobs that come before one.
type ahead struct {
	it   *item
	same func(c *cell) bool
	// left is how many cells and jobs may be looked at still; more says that they were not enough.
	left, count int
	more        bool
}

// look says whether one more cell or job may be looked at.
func (a *ahead) look() bool {
	if a.left == 0 {
		a.more = true
		return false
	}
	a.left--
	return true
}

// turn counts the jobs of a function where it waits.
func (a *ahead) turn(t *turn) {
	for _, g := range t.groups {
		if g != nil {
			a.cells(g.cells, 0)
		}
	}
}

// cells counts the jobs of the cells of a heap from a place on.
func (a *ahead) cells(all heap[*cell], at int) {
	if at >= len(all) || !all[at].jobs[0].before(a.it) || !a.look() {
		return
	}
	if a.same(all[at]) {
		a.left++ // a cell that counts is paid for by its first job
		a.jobs(all[at].jobs, 0)
	}
	a.cells(all, 2*at+1)
	a.cells(all, 2*at+2)
}

// jobs counts the jobs of a heap from a place on.
func (a *ahead) jobs(all heap[*item], at int) {
	if at >= len(all) || !all[at].before(a.it) || !a.look() {
		return
	}
	a.count++
	a.jobs(all, 2*at+1)
	a.jobs(all, 2*at+2)
}

// Depth implements ports.Queue.
func (q *queue) Depth(ctx context.Context) ([]ports.Depth, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	all := make([]ports.Depth, 0, len(q.lanes))
	for _, l := range q.lanes {
		all = append(all, ports.Depth{
			Function: l.function, Ready: l.items - l.later - l.noRoom - l.inHand, NoRoom: l.noRoom, Later: l.later, InHand: l.inHand,
		})
	}
	return all, nil
}
