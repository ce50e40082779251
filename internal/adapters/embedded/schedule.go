package embedded

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// Schedule implements ports.Store.
func (st *store) Schedule(ctx context.Context, s ports.Schedule) ([]ports.Scheduled, error) {
	planned := make([]plannedRun, len(s.Runs))
	size := eventsSize(s.Publish) + 400*len(s.Skipped) + 100*len(s.Ticks)
	for i, next := range s.Runs {
		planned[i] = planRun(next)
		size += planned[i].size
	}
	var answer []ports.Scheduled
	var published []event.Tracked
	err := st.writer.do(ctx, &operation{
		size: size,
		apply: func(t *tx) (err error) {
			answer = make([]ports.Scheduled, 0, len(planned))
			for i := range planned {
				if st.outdated(&planned[i].state) {
					return ports.ErrOutdated
				}
			}
			if current, err := ticksAre(t, s.Ticks); err != nil {
				return err
			} else if !current {
				return ports.ErrConflict
			}
			if s.Event != (ulid.ULID{}) {
				settled, err := t.exec(t.statements.deleteInbox, s.Event[:])
				if err != nil {
					return err
				}
				if settled == 0 {
					return t.refuse(ports.ErrConflict)
				}
			}
			if err := moveTicks(t, s.Ticks); err != nil {
				return err
			}
			if published, err = st.log.insert(t, s.Publish, published[:0]); err != nil {
				return err
			}
			for i := range planned {
				scheduled, err := st.insertRun(t, &planned[i])
				if err != nil {
					return fmt.Errorf("run %s: %w", planned[i].state.ID, err)
				}
				if scheduled.Duplicate {
					if published, err = st.log.insert(t, planned[i].onDuplicate, published); err != nil {
						return err
					}
				}
				answer = append(answer, scheduled)
			}
			return writeSkipped(t, s.Skipped)
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
		st.running.add(next.state.FunctionID, next.state.ID)
		st.keep.started(next.state, len(next.key) > 0 && !next.replaced)
		added.add(next.jobs)
		st.pauses.apply(next.state.ID, nil, next.pauses.pauses, next.pauses.bodies)
	}
	st.keep.skipped(s.Skipped)
	if s.Event != (ulid.ULID{}) {
		st.log.settle(s.Event)
	}
	st.log.add(published)
	st.queue.apply(added)
}

// plannedRun is a run to be created, with what is written of it. It is prepared by the caller, so that the writer only
// writes.
type plannedRun struct {
	state run.State
	cron  string
	key   []byte
	// replaced tells that the key took the place of an expired one, so that no more keys are stored than before.
	replaced    bool
	onDuplicate []event.Tracked
	// steps are the memos of the state, with their names.
	steps    []run.Step
	original ulid.ULID
	meta     []byte
	jobs     plannedJobs
	pauses   plannedPauses
	parts    []part
	size     int
}

func planRun(next ports.NewRun) plannedRun {
	s := next.State
	jobs := append([]run.Job{next.Start}, next.More...)
	kinds := make(map[string]run.Kind, len(s.Jobs)+len(jobs))
	maps.Copy(kinds, s.Jobs)
	for i := range jobs {
		kinds[jobs[i].ID] = jobs[i].Kind
	}
	s.Jobs = kinds
	p := plannedRun{
		state: s, cron: next.Cron, onDuplicate: next.OnDuplicate, meta: marshal(metaRecord(s)), jobs: planJobs(s, jobs),
		pauses: planPauses(slices.Collect(maps.Values(s.Pauses))), parts: stateParts(s), original: next.Original,
		steps: startSteps(next),
	}
	if next.IdempotencyKey != "" {
		p.key = keyHash(next.IdempotencyKey)
	}
	p.size = 600 + len(p.meta) + p.jobs.size + p.pauses.size + partsSize(p.parts) + s.Size
	p.size += eventsSize(s.Events) + eventsSize(next.OnDuplicate)
	return p
}

// startSteps are the memos of a new run in order, with the names that are known.
func startSteps(next ports.NewRun) []run.Step {
	if len(next.State.Stack) == 0 {
		return nil
	}
	named := make(map[string]run.Step, len(next.Steps))
	for _, step := range next.Steps {
		named[step.ID] = step
	}
	steps := make([]run.Step, len(next.State.Stack))
	for i, id := range next.State.Stack {
		steps[i] = named[id]
		steps[i].ID, steps[i].Memo = id, next.State.Steps[id]
	}
	return steps
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
	if err := insertSteps(t, s.ID, 0, p.steps); err != nil {
		return ports.Scheduled{}, err
	}
	if err := p.jobs.write(t, s.ID); err != nil {
		return ports.Scheduled{}, err
	}
	if err := p.pauses.write(t, s.ID); err != nil {
		return ports.Scheduled{}, err
	}
	if err := writeParts(t, s.ID, p.parts); err != nil {
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
	return writeStart(t, p.state.ID, p.state.FunctionID, eventID, p.original, p.cron)
}

func writeStart(t *tx, id ulid.ULID, function uuid.UUID, eventID, original ulid.ULID, schedule string) error {
	var cron any
	if schedule != "" {
		cron = schedule
	}
	_, err := t.exec(t.statements.insertFunctionRun, id[:], formatInstant(timeOf(id)), function.String(), eventID[:], noULID, original[:],
		cron, environmentID)
	return err
}

// writeSkipped writes both rows of history of runs that do not start.
func writeSkipped(t *tx, runs []ports.SkippedRun) error {
	for _, skipped := range runs {
		if err := writeStart(t, skipped.RunID, skipped.FunctionID, skipped.Event, ulid.ULID{}, skipped.Cron); err != nil {
			return err
		}
		if err := writeFinish(t, skipped.RunID, skipped.End); err != nil {
			return err
		}
	}
	return nil
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
	p.replaced = found
	if found {
		if _, err := t.exec(t.statements.deleteKey, p.key); err != nil {
			return earlier, false, err
		}
	}
	_, err = t.exec(t.statements.insertKey, p.key, p.state.ID[:], now+keyLife.Nanoseconds())
	return earlier, false, err
}
