package mem

import (
	"context"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/metadata"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// keyTTL is how long an idempotency key is refused a second time.
const keyTTL = 24 * time.Hour

// Schedule implements ports.Store.
func (b *Backend) Schedule(ctx context.Context, s ports.Schedule) ([]ports.Scheduled, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ports.ErrClosed
	}
	if b.outdated(s) {
		return nil, ports.ErrOutdated
	}
	if !b.ticksAre(s.Ticks) || !b.waits(s.Event) || !b.holdIs(s.Hold) {
		return nil, ports.ErrConflict
	}
	outcomes, err := b.decide(s.Runs)
	if err != nil {
		return nil, err
	}
	b.settle(s.Event)
	b.dropHold(s.Hold.ID)
	b.moveTicks(s.Ticks)
	answers := make([]ports.Scheduled, 0, len(s.Runs))
	for i, r := range s.Runs {
		answers = append(answers, b.carryOut(r, outcomes[i]))
	}
	for _, r := range s.Skipped {
		b.records = append(b.records, &ports.RunRecord{
			RunID: r.RunID, StartedAt: ulid.Time(r.RunID.Time()).UTC(), FunctionID: r.FunctionID, EventID: r.Event, Cron: r.Cron,
			Status: r.End.Status, EndedAt: r.End.At, Output: r.End.Output,
		})
		b.recordSpans(r.Spans)
	}
	b.accept(s.Publish)
	return answers, nil
}

// start creates a run and its jobs.
func (b *Backend) start(r ports.NewRun) {
	if r.IdempotencyKey != "" {
		b.keys[r.IdempotencyKey] = usedKey{r.State.ID, b.clock.Now().Add(keyTTL)}
	}
	b.runs[r.State.ID] = r.State
	b.begin(r)
	b.jobs = append(b.jobs, &job{Job: r.Start})
	for _, more := range r.More {
		b.jobs = append(b.jobs, &job{Job: more})
	}
	b.enter(r, run.Running)
	b.recordSpans(r.Spans)
}

// enter puts a run into history.
func (b *Backend) enter(r ports.NewRun, status run.Status) *ports.RunRecord {
	record := &ports.RunRecord{
		RunID: r.State.ID, StartedAt: ulid.Time(r.State.ID.Time()).UTC(), FunctionID: r.State.FunctionID,
		EventID: r.State.Events[0].InternalID, BatchID: r.Batch, Cron: r.Cron, Status: status, OriginalRunID: r.Original,
	}
	b.records = append(b.records, record)
	return record
}

// Load implements ports.Store.
func (b *Backend) Load(ctx context.Context, id ulid.ULID) (run.State, error) {
	if err := ctx.Err(); err != nil {
		return run.State{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	state, ok := b.runs[id]
	if !ok {
		return run.State{}, ports.ErrNotFound
	}
	return state, nil
}

// Commit implements ports.Store.
func (b *Backend) Commit(ctx context.Context, c ports.Commit) (run.State, error) {
	if err := ctx.Err(); err != nil {
		return run.State{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return run.State{}, ports.ErrClosed
	}
	state, ok := b.runs[c.State.ID]
	if !ok {
		return run.State{}, ports.ErrNotFound
	}
	if c.Lease.Token != 0 && b.leased(c.Lease) == nil {
		return run.State{}, ports.ErrLeaseLost
	}
	if state.Revision != c.State.Revision {
		return run.State{}, ports.ErrConflict
	}
	if err := b.signalsFree(c); err != nil {
		return run.State{}, err
	}
	next := state.Apply(c.Lease.Job, c.Transition)
	b.moveSignals(state, c)
	b.memos[next.ID] = append(b.memos[next.ID], c.Transition.Steps...)
	b.apply(c, next)
	b.attach(next.ID, metadata.Fit(b.attachedBytes(next.ID), c.Transition.Metadata))
	b.accept(c.Publish)
	b.recordSpans(c.Spans)
	return next, nil
}

func (b *Backend) apply(c ports.Commit, next run.State) {
	if end := c.Transition.Finish; end != nil {
		delete(b.runs, next.ID)
		delete(b.started, next.ID)
		if b.locks[next.Lock] == next.ID {
			delete(b.locks, next.Lock)
		}
		b.jobs = slices.DeleteFunc(b.jobs, func(j *job) bool { return j.RunID == next.ID })
		b.answers[next.ID] = end.Response
		record := b.record(next.ID)
		record.Status, record.EndedAt, record.Output = end.Status, end.At, end.Output
		if record.Output == nil {
			record.Output = []byte(`{}`)
		}
		return
	}
	b.runs[next.ID] = next
	current := c.Transition.Current
	if j := b.leased(c.Lease); j != nil {
		switch current.Fate {
		case run.FateDone:
			b.jobs = slices.DeleteFunc(b.jobs, func(other *job) bool { return other == j })
		case run.FateRetry:
			j.At, j.Attempt, j.token = current.At, current.Attempt, 0
		case run.FateKeep, run.FateNone:
		}
	}
	for _, j := range b.jobs {
		if j.RunID == next.ID && j.ID == c.Transition.ResetJob {
			j.Attempt = 0
		}
	}
	b.jobs = slices.DeleteFunc(b.jobs, func(j *job) bool {
		return j.RunID == next.ID && slices.Contains(c.Transition.DropJobs, j.ID)
	})
	for _, created := range c.Transition.Jobs {
		if !slices.ContainsFunc(b.jobs, func(j *job) bool { return j.RunID == created.RunID && j.ID == created.ID }) {
			b.jobs = append(b.jobs, &job{Job: created})
		}
	}
}

func (b *Backend) record(id ulid.ULID) *ports.RunRecord {
	for _, r := range b.records {
		if r.RunID == id {
			return r
		}
	}
	return &ports.RunRecord{}
}
