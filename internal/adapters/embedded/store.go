package embedded

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// store keeps runs in progress: a row for the run, one for each memo and one for each job. What ended leaves its two rows
// of history and nothing else.
type store struct {
	writer *writer
	db     *database
	queue  *queue
	log    *eventLog
	keep   *retention
	cache  *cache
}

var _ ports.Store = (*store)(nil)

func newStore(cfg Config, w *writer, d *database, q *queue, l *eventLog, keep *retention) *store {
	keep.needs = l.needs
	return &store{writer: w, db: d, queue: q, log: l, keep: keep, cache: newCache(cfg.CacheBytes)}
}

// Schedule implements ports.Store.
func (st *store) Schedule(ctx context.Context, s ports.Schedule) ([]ports.Scheduled, error) {
	planned := make([]plannedRun, len(s.Runs))
	size := 0
	for i, next := range s.Runs {
		planned[i] = planRun(next)
		size += planned[i].size
	}
	for _, tracked := range s.Publish {
		size += eventSize(tracked)
	}
	var answer []ports.Scheduled
	var published []event.Tracked
	err := st.writer.do(ctx, &operation{
		size: size,
		apply: func(t *tx) (err error) {
			answer = make([]ports.Scheduled, 0, len(planned))
			if s.Event != (ulid.ULID{}) {
				settled, err := t.exec(t.statements.deleteInbox, s.Event[:])
				if err != nil {
					return err
				}
				if settled == 0 {
					return t.refuse(ports.ErrConflict)
				}
			}
			if published, err = st.log.insert(t, s.Publish, published[:0]); err != nil {
				return err
			}
			for i := range planned {
				scheduled, err := st.insertRun(t, &planned[i])
				if err != nil {
					return fmt.Errorf("run %s: %w", planned[i].state.ID, err)
				}
				answer = append(answer, scheduled)
			}
			return nil
		},
		committed: func() { st.scheduled(s, planned, answer, published) },
	})
	if err != nil {
		return nil, fmt.Errorf("schedule %d runs for event %s: %w", len(s.Runs), s.Event, err)
	}
	return answer, nil
}

// scheduled makes a schedule true in memory.
func (st *store) scheduled(s ports.Schedule, planned []plannedRun, answer []ports.Scheduled, published []event.Tracked) {
	var added changes
	for i := range planned {
		if answer[i].Duplicate {
			continue
		}
		next := &planned[i]
		st.cache.put(next.state)
		st.keep.started(next.state, len(next.key) > 0)
		added.added = append(added.added, newItem(next.start, next.payload))
		added.owner = append(added.owner, next.start.FunctionID)
	}
	if s.Event != (ulid.ULID{}) {
		st.log.settle(s.Event)
	}
	st.log.add(published)
	st.queue.apply(added)
}

// plannedRun is a run to be created, with what is written of it. It is prepared by the caller, so that the writer only
// writes.
type plannedRun struct {
	state   run.State
	start   run.Job
	cron    string
	key     []byte
	payload []byte
	meta    []byte
	size    int
}

func planRun(next ports.NewRun) plannedRun {
	s, start := next.State, next.Start
	start.RunID = s.ID
	jobs := make(map[string]run.Kind, len(s.Jobs)+1)
	for id, kind := range s.Jobs {
		jobs[id] = kind
	}
	jobs[start.ID] = start.Kind
	s.Jobs = jobs
	p := plannedRun{state: s, start: start, cron: next.Cron, payload: jobRecord(start), meta: marshal(metaRecord(s))}
	if next.IdempotencyKey != "" {
		p.key = keyHash(next.IdempotencyKey)
	}
	p.size = 600 + len(p.payload) + len(p.meta) + s.Size
	for _, tracked := range s.Events {
		p.size += eventSize(tracked)
	}
	return p
}

// keyHash is an idempotency key as it is stored: long keys cost as little as short ones.
func keyHash(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:16]
}

// insertRun writes a run unless its key is in use.
func (st *store) insertRun(t *tx, p *plannedRun) (ports.Scheduled, error) {
	s := &p.state
	if len(p.key) > 0 {
		earlier, used, err := st.takeKey(t, p)
		if err != nil || used {
			return ports.Scheduled{RunID: earlier, Duplicate: used}, err
		}
	}
	var failed error
	head, beside := headRecord(*s, func(id ulid.ULID) bool {
		found, done, err := t.row(t.statements.eventExists, id[:])
		done()
		failed = err
		return found
	})
	if failed != nil {
		return ports.Scheduled{}, failed
	}
	if _, err := t.exec(t.statements.insertRun, s.ID[:], s.Revision, p.meta, marshal(head)); err != nil {
		return ports.Scheduled{}, err
	}
	for _, i := range beside {
		if _, err := t.exec(t.statements.insertRunEvent, s.ID[:], i, marshal(eventRecord(s.Events[i]))); err != nil {
			return ports.Scheduled{}, err
		}
	}
	for i, id := range s.Stack {
		if _, err := t.exec(t.statements.insertStep, s.ID[:], i, id, []byte(s.Steps[id])); err != nil {
			return ports.Scheduled{}, err
		}
	}
	if _, err := t.exec(t.statements.insertJob, s.ID[:], p.start.ID, nanos(p.start.At), p.start.Attempt, p.payload); err != nil {
		return ports.Scheduled{}, err
	}
	return ports.Scheduled{RunID: s.ID}, st.insertHistory(t, p)
}

// insertHistory writes the run's row of history, as the reference encodes it. Spec 15 §3.4.
func (st *store) insertHistory(t *tx, p *plannedRun) error {
	var eventID ulid.ULID
	if len(p.state.Events) > 0 {
		eventID = p.state.Events[0].InternalID
	}
	var cron any
	if p.cron != "" {
		cron = p.cron
	}
	_, err := t.exec(t.statements.insertFunctionRun, p.state.ID[:], formatInstant(ulid.Time(p.state.ID.Time())),
		p.state.FunctionID.String(), eventID[:], noULID, noULID, cron, environmentID)
	return err
}

// takeKey makes the run the owner of its idempotency key, or tells whose it is.
func (st *store) takeKey(t *tx, p *plannedRun) (earlier ulid.ULID, used bool, err error) {
	now := st.writer.now().UnixNano()
	found, done, err := t.row(t.statements.getKey, p.key)
	if err != nil {
		return earlier, false, err
	}
	var expires int64
	if found {
		t.statements.getKey.ColumnBytes(0, earlier[:])
		expires = t.statements.getKey.ColumnInt64(1)
	}
	done()
	if found && expires > now {
		return earlier, true, nil
	}
	if found {
		if _, err := t.exec(t.statements.deleteKey, p.key); err != nil {
			return earlier, false, err
		}
	}
	_, err = t.exec(t.statements.insertKey, p.key, p.state.ID[:], now+keyLife.Nanoseconds())
	return earlier, false, err
}

// Commit implements ports.Store.
func (st *store) Commit(ctx context.Context, c ports.Commit) (run.State, error) {
	current, err := st.claim(ctx, c)
	if err != nil {
		return run.State{}, fmt.Errorf("commit run %s: %w", c.State.ID, err)
	}
	after := c.State.Apply(c.Lease.Job, c.Transition)
	p := planCommit(c, after)
	var published []event.Tracked
	err = st.writer.do(ctx, &operation{
		size: p.size,
		apply: func(t *tx) (err error) {
			published, err = st.write(t, &p, current, published[:0])
			return err
		},
		committed: func() { st.committed(&p, current, published) },
	})
	if err != nil {
		if current != nil {
			st.queue.unclaim(current)
		}
		return run.State{}, fmt.Errorf("commit run %s: %w", c.State.ID, err)
	}
	return after, nil
}

// claim takes the leased job in hand; nil when the commit has none. A run that has ended is told apart from a lease that
// was lost, because its jobs went with it.
func (st *store) claim(ctx context.Context, c ports.Commit) (*item, error) {
	if c.Lease.Token == 0 {
		return nil, nil
	}
	current, err := st.queue.claim(c.Lease)
	if err == nil {
		return current, nil
	}
	if _, loadErr := st.Load(ctx, c.State.ID); loadErr != nil {
		return nil, loadErr
	}
	return nil, err
}

// plannedCommit is a transition with what is written of it, prepared by the caller.
type plannedCommit struct {
	ports.Commit
	after    run.State
	meta     []byte
	jobs     []run.Job
	payloads [][]byte
	size     int
}

func planCommit(c ports.Commit, after run.State) plannedCommit {
	p := plannedCommit{Commit: c, after: after, size: 300}
	if c.Transition.Finish != nil {
		p.size += len(c.Transition.Finish.Output)
	} else {
		p.meta = marshal(metaRecord(after))
		p.size += len(p.meta)
		for _, step := range c.Transition.Steps {
			p.size += 80 + len(step.Memo)
		}
		for _, job := range c.Transition.Jobs {
			job.RunID = c.State.ID
			if job.FunctionID == uuid.Nil {
				job.FunctionID = c.State.FunctionID
			}
			p.jobs = append(p.jobs, job)
			p.payloads = append(p.payloads, jobRecord(job))
			p.size += 80 + len(p.payloads[len(p.payloads)-1])
		}
	}
	for _, tracked := range c.Publish {
		p.size += eventSize(tracked)
	}
	return p
}

// write writes a transition. The first statement carries the check of the revision, so a refusal has written nothing.
func (st *store) write(t *tx, p *plannedCommit, current *item, published []event.Tracked) ([]event.Tracked, error) {
	id := p.State.ID[:]
	var matched int
	var err error
	if p.Transition.Finish != nil {
		matched, err = t.exec(t.statements.deleteRun, id, p.State.Revision)
	} else {
		matched, err = t.exec(t.statements.updateRun, p.meta, id, p.State.Revision)
	}
	if err != nil {
		return published, err
	}
	if matched == 0 {
		exists, done, err := t.row(t.statements.getRevision, id)
		done()
		switch {
		case err != nil:
			return published, err
		case exists:
			return published, t.refuse(ports.ErrConflict)
		}
		return published, t.refuse(ports.ErrNotFound)
	}
	if p.Transition.Finish != nil {
		err = st.writeEnd(t, p)
	} else {
		err = st.writeSteps(t, p, current)
	}
	if err != nil {
		return published, err
	}
	return st.log.insert(t, p.Publish, published)
}

// writeSteps writes memos, new jobs and the fate of the job in hand. The job in hand goes first: a new job may have its ID.
func (st *store) writeSteps(t *tx, p *plannedCommit, current *item) error {
	id := p.State.ID[:]
	for i, step := range p.Transition.Steps {
		if _, err := t.exec(t.statements.insertStep, id, len(p.State.Stack)+i, step.ID, []byte(step.Memo)); err != nil {
			return err
		}
	}
	switch jobID := p.Lease.Job.ID; p.Transition.Current.Fate {
	case run.FateDone:
		if _, err := t.exec(t.statements.deleteJob, id, jobID); err != nil {
			return err
		}
	case run.FateRetry:
		var generation int64
		if current != nil {
			generation = int64(current.generation)
		}
		next := p.Transition.Current
		if _, err := t.exec(t.statements.updateJob, nanos(next.At), next.Attempt, generation, id, jobID); err != nil {
			return err
		}
	}
	for i, job := range p.jobs {
		if _, err := t.exec(t.statements.insertJob, id, job.ID, nanos(job.At), job.Attempt, p.payloads[i]); err != nil {
			return err
		}
	}
	return nil
}

// writeEnd deletes what a run in progress has, and writes its end as the reference encodes it. Spec 15 §3.5.
func (st *store) writeEnd(t *tx, p *plannedCommit) error {
	id := p.State.ID[:]
	if _, err := t.exec(t.statements.deleteRunJobs, id); err != nil {
		return err
	}
	if len(p.State.Stack) > 0 {
		if _, err := t.exec(t.statements.deleteSteps, id); err != nil {
			return err
		}
	}
	if eventsSize(p.State.Events) > embedLimit {
		if _, err := t.exec(t.statements.deleteRunEvents, id); err != nil {
			return err
		}
	}
	end := p.Transition.Finish
	output := "{}"
	if end.Output != nil {
		output = string(end.Output)
	}
	_, err := t.exec(t.statements.insertFinish, id, string(end.Status), output, formatInstant(end.At))
	return err
}

// committed makes a commit true in memory.
func (st *store) committed(p *plannedCommit, current *item, published []event.Tracked) {
	done := changes{current: current, fate: p.Transition.Current}
	if p.Transition.Finish != nil {
		done.ended = &p.State
		st.cache.drop(p.State.ID)
		st.keep.ended(p.State)
	} else {
		st.cache.put(p.after)
		for i, job := range p.jobs {
			done.added = append(done.added, newItem(job, p.payloads[i]))
			done.owner = append(done.owner, job.FunctionID)
		}
	}
	st.log.add(published)
	st.queue.apply(done)
}
