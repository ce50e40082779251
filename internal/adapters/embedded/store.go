package embedded

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// store keeps runs in progress: a row for the run, one for each memo, each job and each pause. Of what ended the memos stay,
// and what history shows of it.
type store struct {
	writer *writer
	db     *database
	queue  *queue
	log    *eventLog
	holds  *holds
	keep   *retention
	cache  *cache
	pauses *pauses
	// running are the runs in progress.
	running *inProgress
	// fences are the times before which no run of a function may have been decided on. Only the writer's goroutine uses them.
	fences map[uuid.UUID]time.Time
}

var _ ports.Store = (*store)(nil)

func newStore(cfg Config, w *writer, d *database, q *queue, l *eventLog, h *holds, keep *retention) *store {
	keep.needs = l.needs
	return &store{
		writer: w, db: d, queue: q, log: l, holds: h, keep: keep, cache: newCache(cfg.CacheBytes), pauses: newPauses(cfg),
		running: newInProgress(), fences: map[uuid.UUID]time.Time{},
	}
}

// Commit implements ports.Store.
func (st *store) Commit(ctx context.Context, c ports.Commit) (run.State, error) {
	current, err := st.claim(ctx, c)
	if err != nil {
		return run.State{}, fmt.Errorf("commit run %s: %w", c.State.ID, err)
	}
	if err := st.writer.history.admit(ctx); err != nil {
		if current != nil {
			st.queue.unclaim(current)
		}
		return run.State{}, fmt.Errorf("commit run %s: %w", c.State.ID, err)
	}
	after := c.State.Apply(c.Lease.Job, c.Transition)
	p := planCommit(c, after)
	p.spans = st.record(c.Spans)
	p.size += len(p.spans)
	if job := c.Transition.ResetJob; job != "" && st.queue.attempted(c.State.ID, job) {
		p.reset = job
	}
	var published []event.Tracked
	err = st.writer.do(ctx, &operation{
		size: p.size,
		apply: func(t *tx) (err error) {
			if published, err = st.write(t, &p, current, published[:0]); err == nil {
				t.tell(c.Spans, p.spans)
			}
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
	after  run.State
	meta   []byte
	jobs   plannedJobs
	pauses plannedPauses
	parts  []part
	// ended and response are the records of a run that ends, nil for none.
	ended, response []byte
	// reset is the job whose attempts are written anew; empty when they are none anyway.
	reset string
	// spans is the record of Spans.
	spans []byte
	size  int
}

// record is what is stored of spans until they are written; nil in memory, where nothing outlives the process.
func (st *store) record(spans []trace.Span) []byte {
	if st.db.path == "" {
		return nil
	}
	return spansRecord(spans)
}

func planCommit(c ports.Commit, after run.State) plannedCommit {
	p := plannedCommit{Commit: c, after: after, size: 300}
	for _, step := range c.Transition.Steps {
		p.size += 80 + len(step.Memo) + len(step.Name)
	}
	if end := c.Transition.Finish; end != nil {
		p.ended, p.response = endedRecord(c.State), responseRecord(end.Response)
		p.size += len(end.Output) + len(p.ended) + len(p.response)
	} else {
		p.meta = marshal(metaRecord(after))
		p.size += len(p.meta)
		p.jobs = planJobs(c.State, slices.Clone(c.Transition.Jobs))
		p.pauses = planPauses(c.Transition.Pauses)
		p.parts = deferParts(c.Transition.Defers)
		if c.Transition.Consumed != (ulid.ULID{}) {
			p.parts = append(p.parts, consumedPart(after.Consumed))
		}
		p.size += p.jobs.size + p.pauses.size + partsSize(p.parts)
	}
	for _, update := range c.Transition.Metadata {
		p.size += 120 + update.Cost()
	}
	p.size += eventsSize(c.Publish)
	return p
}

// write writes a transition. The first write carries the check of the revision, so a refusal has written nothing.
func (st *store) write(t *tx, p *plannedCommit, current *item, published []event.Tracked) ([]event.Tracked, error) {
	id := p.State.ID[:]
	var matched int
	if err := checkSignals(t, p); err != nil {
		return published, err
	}
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
	if err := st.writeMetadata(t, p.State.ID, p.Transition.Metadata); err != nil {
		return published, err
	}
	return st.log.insert(t, p.Publish, published)
}

// writeSteps writes what a transition changes in a run that goes on. The job in hand, and jobs and pauses that are dropped,
// go before new ones: a new one may have the ID of an old one.
func (st *store) writeSteps(t *tx, p *plannedCommit, current *item) error {
	id := p.State.ID[:]
	if err := insertSteps(t, p.State.ID, len(p.State.Stack), p.Transition.Steps); err != nil {
		return err
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
	if p.reset != "" {
		if _, err := t.exec(t.statements.resetJob, id, p.reset); err != nil {
			return err
		}
	}
	for _, jobID := range p.Transition.DropJobs {
		if _, err := t.exec(t.statements.deleteJob, id, jobID); err != nil {
			return err
		}
	}
	if err := p.jobs.write(t, p.State.ID); err != nil {
		return err
	}
	return writeWaits(t, p)
}

// insertSteps writes memos of a run, the first one at the place seq.
func insertSteps(t *tx, runID ulid.ULID, seq int, steps []run.Step) error {
	for i, step := range steps {
		if _, err := t.exec(t.statements.insertStep, runID[:], seq+i, step.ID, []byte(step.Memo), step.Name, string(step.Op)); err != nil {
			return err
		}
	}
	return nil
}

// writeWaits writes what a transition changes in what a run waits for.
func writeWaits(t *tx, p *plannedCommit) error {
	for _, pauseID := range p.Transition.Drop {
		if err := freeSignal(t, p.State.ID, p.State.Pauses[pauseID]); err != nil {
			return err
		}
		if _, err := t.exec(t.statements.deletePause, p.State.ID[:], pauseID[:]); err != nil {
			return err
		}
	}
	if err := p.pauses.write(t, p.State.ID); err != nil {
		return err
	}
	for _, pause := range p.Transition.Pauses {
		if err := takeSignal(t, p.State.ID, pause); err != nil {
			return err
		}
	}
	return writeParts(t, p.State.ID, p.parts)
}

// writeEnd deletes what a run in progress has, and writes its end as the reference encodes it. Its steps stay, those of its
// last transition too. Spec 15 §3.5.
func (st *store) writeEnd(t *tx, p *plannedCommit) error {
	id := p.State.ID[:]
	if _, err := t.exec(t.statements.deleteRunJobs, id); err != nil {
		return err
	}
	if err := insertSteps(t, p.State.ID, len(p.State.Stack), p.Transition.Steps); err != nil {
		return err
	}
	if err := deleteWaits(t, p.State); err != nil {
		return err
	}
	if err := freeLock(t, p.State.ID, p.State.Lock); err != nil {
		return err
	}
	if !inHead(p.State.Events) {
		if _, err := t.exec(t.statements.deleteRunEvents, id); err != nil {
			return err
		}
	}
	if len(p.ended) > 0 {
		if _, err := t.exec(t.statements.insertEnded, id, p.ended, p.response); err != nil {
			return err
		}
	}
	return writeFinish(t, p.State.ID, *p.Transition.Finish)
}

// writeFinish writes the end of a run into its history.
func writeFinish(t *tx, id ulid.ULID, end run.Finish) error {
	output := "{}"
	if end.Output != nil {
		output = string(end.Output)
	}
	_, err := t.exec(t.statements.insertFinish, id[:], string(end.Status), output, formatInstant(end.At))
	return err
}

// deleteWaits deletes what a run that ends waited for, and its parts.
func deleteWaits(t *tx, s run.State) error {
	for _, pause := range s.Pauses {
		if err := freeSignal(t, s.ID, pause); err != nil {
			return err
		}
	}
	if len(s.Pauses) > 0 {
		if _, err := t.exec(t.statements.deleteRunPauses, s.ID[:]); err != nil {
			return err
		}
	}
	if hasParts(s) {
		if _, err := t.exec(t.statements.deleteRunParts, s.ID[:]); err != nil {
			return err
		}
	}
	return nil
}

// committed makes a commit true in memory.
func (st *store) committed(p *plannedCommit, current *item, published []event.Tracked) {
	done := changes{current: current, fate: p.Transition.Current}
	if p.Transition.Finish != nil {
		done.ended = &p.State
		st.cache.drop(p.State.ID)
		st.pauses.end(&p.State)
		st.running.remove(p.State.FunctionID, p.State.ID)
		st.keep.ended(p.State)
	} else {
		st.cache.put(p.after)
		st.pauses.apply(p.State.ID, p.Transition.Drop, p.pauses.pauses, p.pauses.bodies)
		for _, jobID := range p.Transition.DropJobs {
			done.dropped = append(done.dropped, jobKey{p.State.ID, jobID})
		}
		if p.reset != "" {
			done.reset = jobKey{p.State.ID, p.reset}
		}
		done.add(p.jobs)
	}
	st.log.add(published)
	st.queue.apply(done)
}
