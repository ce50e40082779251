package embedded

import (
	"cmp"
	"container/list"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// jobKey names a job.
type jobKey struct {
	run ulid.ULID
	id  string
}

// queue hands out the jobs that are due. The order is kept in memory and rebuilt at start; the jobs themselves are rows
// that the store writes with its commits. Leases are in memory alone: a crash frees them all.
//
// Jobs that are due are in cells of those that need the same room, and these in the lanes of their functions; a cell without room waits
// under what blocks it instead. The other jobs are in a heap with one alarm for the first of them. A caller who finds nothing waits in
// line, and a job that becomes due, or gets room, goes straight to the first in line.
type queue struct {
	cfg    Config
	writer *writer
	alarm  *alarm

	mu      sync.Mutex
	items   map[jobKey]*item
	lanes   map[uuid.UUID]*lane
	ready   ring
	waiting heap[*item]
	line    list.List // of *waiter, who came first in front
	seq     uint64
	token   uint64
	closed  bool
	limits
}

var _ ports.Queue = (*queue)(nil)

// waiter is a caller of Lease who found nothing.
type waiter struct {
	given chan *item // of capacity 1, so that giving never waits
}

func newQueue(cfg Config, w *writer) *queue {
	q := &queue{cfg: cfg, writer: w, items: map[jobKey]*item{}, lanes: map[uuid.UUID]*lane{}, limits: newLimits()}
	q.alarm = newAlarm(cfg, q.wake)
	return q
}

// restore loads every job that is to be handed out, given the keys of the runs in progress that have any. Jobs of the same time come in
// the order of their runs. A run counts as in progress if its first job has been admitted, or is gone.
func (q *queue) restore(ctx context.Context, queries *db.Queries, runs map[ulid.ULID]runKeys) error {
	rows, err := queries.ListQueue(ctx)
	if err != nil {
		return translate(err)
	}
	slices.SortStableFunc(rows, func(a, b db.ListQueueRow) int { return cmp.Compare(a.DueAt, b.DueAt) })
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.restoreBuckets(ctx, queries); err != nil {
		return err
	}
	first := map[ulid.ULID]bool{}
	for _, row := range rows {
		runID, err := parseULID(row.RunID)
		if err != nil {
			q.cfg.Logger.ErrorContext(ctx, "unreadable row of a job", "job_id", row.JobID, "error", err)
			continue
		}
		job, _ := jobFromRecord(row.Payload) // if it cannot be read, it is parked when its turn comes
		it := &item{
			run: runID, id: row.JobID, payload: row.Payload, due: row.DueAt, attempt: int32(row.Attempt), generation: int32(row.Generation),
			kind: codeOf(job.Kind), admitted: row.Admitted != 0,
		}
		keys := runs[runID].keys
		if classOf(it, keys) == classFirst {
			first[runID] = true
		}
		q.insert(it, job.FunctionID, keys)
	}
	for id, of := range runs {
		if of.keys.Run != nil && !first[id] {
			q.begin(of.function, id, of.keys.Run, "")
		}
	}
	q.settleDue()
	return nil
}

// insert makes an item known. The caller holds mu and calls settleDue afterwards.
func (q *queue) insert(it *item, function uuid.UUID, keys *flow.Keys) {
	key := jobKey{it.run, it.id}
	if _, exists := q.items[key]; exists {
		return
	}
	l := q.lanes[function]
	if l == nil {
		l = newLane(function)
		q.lanes[function] = l
	}
	if keys != nil {
		it.factor = int32(keys.Factor)
	}
	q.join(it, l, keys)
	q.items[key] = it
	q.place(it)
}

// place puts an item where its due time and its score say. The caller holds mu.
func (q *queue) place(it *item) {
	q.seq++
	it.seq = q.seq
	now := q.cfg.Clock.Now().UnixNano()
	score, from := it.score(now), it.due
	if score > it.due/int64(time.Millisecond) {
		from = score * int64(time.Millisecond)
	}
	if from <= now {
		it.order = score
		q.enter(it)
		return
	}
	it.state, it.order = itemWaiting, from
	it.cell.lane.later++
	q.waiting.push(it)
}

// forget removes an item wherever it is. The caller holds mu and calls settleDue afterwards.
func (q *queue) forget(it *item) {
	switch it.state {
	case itemReady:
		q.exit(it)
	case itemWaiting:
		it.cell.lane.later--
		q.waiting.remove(it)
	case itemLeased, itemSettling:
		it.token = 0
		it.cell.lane.inHand--
		q.release(it)
	}
	if it.unwritten {
		delete(q.unwritten, it)
	}
	delete(q.items, jobKey{it.run, it.id})
	q.leave(it.cell)
}

// giveUp makes a job that is in hand no longer one, and wait for its time. The caller holds mu and calls settleDue afterwards.
func (q *queue) giveUp(it *item) {
	it.token = 0
	it.cell.lane.inHand--
	q.release(it)
	if it.admitted && it.cell.class == classFirst {
		first := it.cell
		q.join(it, first.lane, first.keys) // before it leaves, so that the lane stays
		q.leave(first)
	}
	q.place(it)
}

// settleDue moves what has become due into the lanes, wakes those who waited for a token, gives jobs to those in line, and sets the alarm
// for the next. The caller holds mu.
func (q *queue) settleDue() {
	if len(q.waiting) > 0 || len(q.throttled) > 0 {
		now := q.cfg.Clock.Now().UnixNano()
		for len(q.waiting) > 0 && q.waiting[0].order <= now {
			it := q.waiting.pop()
			it.cell.lane.later--
			it.order = it.score(now)
			q.enter(it)
		}
		for len(q.throttled) > 0 && q.throttled[0].until <= now {
			b := q.throttled.pop()
			b.armed = false
			q.wakeNext(b)
		}
	}
	for q.line.Len() > 0 {
		it := q.take()
		if it == nil {
			break
		}
		q.line.Remove(q.line.Front()).(*waiter).given <- it
	}
	if len(q.waiting) > 0 {
		q.alarm.set(q.waiting[0].order)
	}
	if len(q.throttled) > 0 {
		q.alarm.set(q.throttled[0].until)
	}
}

// wake is what the alarm calls.
func (q *queue) wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.settleDue()
	}
}

// take leases the next job that is due and has room, nil when there is none. The caller holds mu.
func (q *queue) take() *item {
	for q.ready.turn != nil {
		c := q.ready.turn.first()
		n := q.needsOf(c)
		if n != nothing {
			if b := q.admit(c, n, q.cfg.Clock.Now()); b != nil {
				q.block(c, b)
				continue
			}
		}
		return q.handOut(c, n)
	}
	return nil
}

// handOut leases the first job of a cell, which has what it needs. The caller holds mu.
func (q *queue) handOut(c *cell, n *needs) *item {
	it := c.jobs[0]
	it.limited = c.passed()
	c.lane.inHand++
	q.ready.turn = q.ready.turn.next
	if len(c.jobs) == 1 {
		q.ready.remove(c)
		c.jobs.pop()
	} else {
		c.jobs.pop()
		c.group.cells.fix(c)
	}
	q.token++
	it.state, it.token, it.order = itemLeased, q.token, 0
	it.generation++
	q.held[it] = n.steps
	if c.class == classFirst && (c.keys.Run != nil || n.throttle != nil) {
		it.admitted, it.unwritten = true, true
		q.unwritten[it] = n.bucket
		if c.keys.Run != nil {
			q.begin(c.lane.function, it.run, c.keys.Run, n.run.Key)
		}
	}
	q.tried(c)
	return it
}

// Lease implements ports.Queue.
func (q *queue) Lease(ctx context.Context) (ports.Lease, error) {
	for {
		it, err := q.next(ctx)
		if err != nil {
			return ports.Lease{}, err
		}
		if it.unwritten {
			if err := q.writeAdmission(ctx, it); err != nil {
				q.mu.Lock()
				q.decline(it)
				q.mu.Unlock()
				return ports.Lease{}, err
			}
		}
		lease, err := q.lease(it)
		if err == nil {
			q.meter(it, lease)
			return lease, nil
		}
		// A record that cannot be read would come back for ever. An operator sees it; the other jobs go on.
		q.cfg.Logger.Error("unreadable job parked", "job_id", it.id, "run_id", it.run, "error", err)
		if err := q.Park(ctx, lease, err.Error()); err != nil {
			return ports.Lease{}, err
		}
	}
}

// next returns the next item, leased to the caller.
func (q *queue) next(ctx context.Context) (*item, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return nil, ports.ErrClosed
	}
	q.settleDue()
	if it := q.take(); it != nil {
		q.mu.Unlock()
		return it, nil
	}
	w := &waiter{given: make(chan *item, 1)}
	place := q.line.PushBack(w)
	q.mu.Unlock()

	select {
	case it, open := <-w.given:
		if !open {
			return nil, ports.ErrClosed
		}
		return it, nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case it, open := <-w.given:
		// It was given in the moment in which the caller gave up: the job goes to the next in line.
		if open {
			q.decline(it)
		}
	default:
		if !q.closed {
			q.line.Remove(place)
		}
	}
	return nil, context.Cause(ctx)
}

// decline gives back an item that was never handed out. The caller holds mu.
func (q *queue) decline(it *item) {
	if it.state != itemLeased || it.token == 0 {
		return // its run ended
	}
	it.generation--
	q.giveUp(it)
	q.settleDue()
}

// lease is an item as its taker sees it. On an error the lease names the job, but has not all of it.
func (q *queue) lease(it *item) (ports.Lease, error) {
	job, err := jobFromRecord(it.payload)
	job.ID, job.RunID = it.id, it.run
	q.mu.Lock() // attempts may be reset while the job is in hand
	defer q.mu.Unlock()
	job.At, job.Attempt = fromNanos(it.due), int(it.attempt)
	if it.state == itemLeased {
		it.order = q.cfg.Clock.Now().UnixNano()
	}
	return ports.Lease{Job: job, Generation: int(it.generation), Token: it.token, Limited: it.limited}, err
}

// meter tells of a job that is handed out. Only who has it in hand changes what is read here.
func (q *queue) meter(it *item, l ports.Lease) {
	if q.cfg.Meter != nil {
		q.cfg.Meter.HandedOut(l.Job.FunctionID, l.Job.Kind, max(q.cfg.Clock.Now().Sub(l.Job.At), 0), it.limited)
	}
}

// Generation implements ports.Queue.
func (q *queue) Generation(ctx context.Context, run ulid.ULID, job string) (int, error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	it := q.items[jobKey{run, job}]
	if it == nil {
		return 0, fmt.Errorf("generation of job %s: %w", job, ports.ErrNotFound)
	}
	return int(it.generation), nil
}

// Begun implements ports.Queue.
func (q *queue) Begun(ctx context.Context) (map[ulid.ULID]time.Time, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	begun := map[ulid.ULID]time.Time{}
	for it := range q.held {
		if it.taken() && it.kind.kind() == run.KindStart {
			begun[it.run] = fromNanos(it.order)
		}
	}
	return begun, nil
}

// Jobs implements ports.Queue.
func (q *queue) Jobs(ctx context.Context, run ulid.ULID, jobs []string) ([]ports.QueuedJob, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var known []ports.QueuedJob
	var payloads [][]byte
	q.mu.Lock()
	for _, id := range jobs {
		if it := q.items[jobKey{run, id}]; it != nil {
			known, payloads = append(known, queuedJob(run, it)), append(payloads, it.payload)
		}
	}
	q.mu.Unlock()
	for i := range known {
		if err := complete(&known[i], payloads[i]); err != nil {
			return nil, err
		}
	}
	return known, nil
}

// queuedJob is what an item says of a job of a run; the rest is in its payload, which is not read under the lock. The caller holds mu.
func queuedJob(run ulid.ULID, it *item) ports.QueuedJob {
	var job ports.QueuedJob
	job.ID, job.RunID, job.At, job.Attempt = it.id, run, fromNanos(it.due), int(it.attempt)
	if it.taken() {
		job.Since = fromNanos(it.order)
	}
	return job
}

// complete adds what the payload says.
func complete(queued *ports.QueuedJob, payload []byte) error {
	job, err := jobFromRecord(payload)
	if err != nil {
		return fmt.Errorf("job %s of run %s: %w", queued.ID, queued.RunID, err)
	}
	job.ID, job.RunID, job.At, job.Attempt = queued.ID, queued.RunID, queued.At, queued.Attempt
	queued.Job = job
	return nil
}

// attempted tells whether attempts of a job are counted. It can only be so again after a commit of its run.
func (q *queue) attempted(run ulid.ULID, job string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	it := q.items[jobKey{run, job}]
	return it != nil && it.attempt > 0
}

// claim marks a leased job as being settled by its holder; nobody else may settle it meanwhile.
func (q *queue) claim(l ports.Lease) (*item, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	it := q.items[jobKey{l.Job.RunID, l.Job.ID}]
	if it == nil || l.Token == 0 || it.token != l.Token || it.state != itemLeased {
		return nil, ports.ErrLeaseLost
	}
	it.state = itemSettling
	return it, nil
}

// unclaim gives a job back to its holder after its fate could not be written.
func (q *queue) unclaim(it *item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if it.state == itemSettling {
		it.state = itemLeased
	}
}

// Return implements ports.Queue. The new time is written, so that a crash does not bring the job back earlier; when that
// fails the job is in the queue all the same, because a job that nobody has in hand must not wait for a restart.
func (q *queue) Return(ctx context.Context, l ports.Lease, at time.Time) error {
	it, err := q.claim(l)
	if err != nil {
		return fmt.Errorf("return job %s: %w", l.Job.ID, err)
	}
	due := max(nanos(at), it.due)
	if due == it.due {
		q.putBack(it, due)
		return nil
	}
	// The caller may be returning its jobs because its context has ended.
	err = q.writer.do(context.WithoutCancel(ctx), &operation{
		apply: func(t *tx) error {
			_, err := t.exec(t.statements.updateJob, due, int64(it.attempt), int64(it.generation), it.run[:], it.id)
			return err
		},
	})
	q.putBack(it, due)
	if err != nil {
		q.cfg.Logger.Warn("time of a returned job not written", "job_id", it.id, "run_id", it.run, "error", err)
	}
	return nil
}

// putBack ends a lease and makes the job wait for its time.
func (q *queue) putBack(it *item, due int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if it.state != itemSettling || it.token == 0 {
		return // its run ended meanwhile
	}
	it.due = due
	q.giveUp(it)
	q.settleDue()
}

// Park implements ports.Queue.
func (q *queue) Park(ctx context.Context, l ports.Lease, reason string) error {
	it, err := q.claim(l)
	if err != nil {
		return fmt.Errorf("park job %s: %w", l.Job.ID, err)
	}
	err = q.writer.do(ctx, &operation{
		size: len(it.payload) + len(reason),
		apply: func(t *tx) error {
			parked, err := t.exec(t.statements.parkJob, it.run[:], it.id)
			if err != nil {
				return err
			}
			if parked == 0 { // its run ended, or dropped it, while this waited for the writer
				return t.refuse(ports.ErrLeaseLost)
			}
			_, err = t.exec(t.statements.insertParked, "job", it.id, it.run[:], reason, q.writer.now().UnixNano(), it.payload)
			return err
		},
		committed: func() { q.drop(it) },
	})
	if err != nil {
		q.unclaim(it)
		return fmt.Errorf("park job %s: %w", l.Job.ID, err)
	}
	return nil
}

// drop forgets an item whose row is gone or no longer handed out.
func (q *queue) drop(it *item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.items[jobKey{it.run, it.id}] == it {
		q.forget(it)
		q.settleDue() // there may be room now
	}
}

// changes are what a commit does to the queue, applied in one step.
type changes struct {
	// added are new jobs, payload included.
	added []addedJob
	// current is the leased item and its fate.
	current *item
	fate    run.Disposition
	// reset is a job whose attempts are forgotten; zero for none.
	reset jobKey
	// dropped are jobs that are forgotten before new ones are added, whoever has them in hand.
	dropped []jobKey
	// ended is the run whose jobs are all forgotten, with their IDs.
	ended *run.State
}

// addedJob is a new job with its function and the keys of its run.
type addedJob struct {
	it       *item
	function uuid.UUID
	keys     *flow.Keys
}

// add appends new jobs.
func (c *changes) add(p plannedJobs) {
	for i, job := range p.jobs {
		c.added = append(c.added, addedJob{newItem(job, p.payloads[i]), job.FunctionID, p.keys})
	}
}

// apply makes a commit's changes true in memory.
func (q *queue) apply(c changes) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c.ended != nil {
		for id := range c.ended.Jobs {
			if it := q.items[jobKey{c.ended.ID, id}]; it != nil {
				q.forget(it)
			}
		}
		q.end(c.ended.FunctionID, c.ended.ID)
	}
	if it := c.current; it != nil && it.token != 0 {
		switch c.fate.Fate {
		case run.FateDone:
			q.forget(it)
		case run.FateRetry:
			it.due, it.attempt = nanos(c.fate.At), int32(c.fate.Attempt)
			q.giveUp(it)
		default:
			it.state = itemLeased
		}
	}
	if it := q.items[c.reset]; it != nil {
		it.attempt = 0
	}
	for _, key := range c.dropped {
		if it := q.items[key]; it != nil {
			q.forget(it)
		}
	}
	for _, job := range c.added {
		q.insert(job.it, job.function, job.keys)
	}
	q.settleDue()
}

// newItem is a job that was written, as the queue keeps it.
func newItem(job run.Job, payload []byte) *item {
	return &item{run: job.RunID, id: job.ID, payload: payload, due: nanos(job.At), attempt: int32(job.Attempt), kind: codeOf(job.Kind)}
}

// shut wakes everybody who waits; Lease returns ErrClosed from now on.
func (q *queue) shut() {
	q.alarm.shut()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for q.line.Len() > 0 {
		close(q.line.Remove(q.line.Front()).(*waiter).given)
	}
}
