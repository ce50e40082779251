package embedded

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// Schedule implements ports.Store.
func (st *store) Schedule(ctx context.Context, s ports.Schedule) ([]ports.Scheduled, error) {
	if err := st.writer.history.admit(ctx); err != nil {
		return nil, fmt.Errorf("schedule %d runs for event %s: %w", len(s.Runs), s.Event, err)
	}
	sc := &scheduling{Schedule: s, planned: make([]plannedRun, len(s.Runs))}
	size := eventsSize(s.Publish) + 400*len(s.Skipped) + 100*len(s.Ticks)
	for i, next := range s.Runs {
		sc.planned[i] = planRun(next)
		if sc.planned[i].record == nil {
			sc.planned[i].told = st.record(next.Spans)
		}
		size += sc.planned[i].size + len(sc.planned[i].told)
	}
	for i := range s.Skipped {
		sc.skipped = append(sc.skipped, s.Skipped[i].Spans...)
	}
	sc.told = st.record(sc.skipped)
	size += len(sc.told)
	err := st.writer.do(ctx, &operation{
		size:      size,
		apply:     func(t *tx) error { return st.schedule(ctx, t, sc) },
		committed: func() { st.scheduled(sc) },
	})
	if err != nil {
		return nil, fmt.Errorf("schedule %d runs for event %s: %w", len(s.Runs), s.Event, err)
	}
	return sc.answer, nil
}

// scheduling is a schedule on its way: what is to be written, and what came of it.
type scheduling struct {
	ports.Schedule
	planned   []plannedRun
	answer    []ports.Scheduled
	published []event.Tracked
	held      holdChanges
	// skipped are the spans of runs that do not start, told is their record.
	skipped []trace.Span
	told    []byte
}

// schedule writes a schedule. All that may refuse it comes before the first write; the last of it is the event's row in the
// inbox, whose deletion is the first write if it is there.
func (st *store) schedule(ctx context.Context, t *tx, sc *scheduling) (err error) {
	sc.answer, sc.published, sc.held = make([]ports.Scheduled, 0, len(sc.planned)), sc.published[:0], sc.held[:0]
	now := st.writer.now()
	if err := st.current(t, sc); err != nil {
		return err
	}
	if err := st.admit(t, sc, now); err != nil {
		return err
	}
	if !sc.Event.IsZero() {
		settled, err := t.exec(t.statements.deleteInbox, sc.Event[:])
		if err != nil {
			return err
		}
		if settled == 0 {
			return t.refuse(ports.ErrConflict)
		}
	}
	if !sc.Hold.ID.IsZero() {
		if err := deleteHold(t, sc.Hold.ID); err != nil {
			return err
		}
		sc.held = append(sc.held, holdChange{id: sc.Hold.ID, gone: true})
	}
	if err := moveTicks(t, sc.Ticks); err != nil {
		return err
	}
	if sc.published, err = st.log.insert(t, sc.Publish, sc.published); err != nil {
		return err
	}
	for i := range sc.planned {
		scheduled, err := st.carryOut(ctx, t, sc, &sc.planned[i])
		if err != nil {
			return fmt.Errorf("run %s: %w", sc.planned[i].state.ID, err)
		}
		if sc.published, err = st.log.insert(t, sc.planned[i].instead[scheduled.Result], sc.published); err != nil {
			return err
		}
		if a := sc.planned[i].admission; a != nil {
			if sc.published, err = st.log.insert(t, a.answer, sc.published); err != nil {
				return err
			}
		}
		sc.answer = append(sc.answer, scheduled)
	}
	if err := writeSkipped(t, sc.Skipped); err != nil {
		return err
	}
	st.tell(t, sc)
	return nil
}

// tell adds what a schedule has for the history of runs.
func (st *store) tell(t *tx, sc *scheduling) {
	for i := range sc.planned {
		switch p := &sc.planned[i]; sc.answer[i].Result {
		case flow.Started:
			t.tell(p.spans, p.told)
		case flow.Skipped:
			a := p.admission
			spans := trace.Ended(p.spans, a.skipped.End, a.outcome.Reason, a.outcome.Existing)
			t.tell(spans, st.record(spans))
		}
	}
	t.tell(sc.skipped, sc.told)
}

// current refuses a schedule that was decided on what is not so any more. It writes nothing.
func (st *store) current(t *tx, sc *scheduling) error {
	for i := range sc.planned {
		if st.outdated(&sc.planned[i].state) {
			return ports.ErrOutdated
		}
	}
	current, err := ticksAre(t, sc.Ticks)
	if err == nil && current && !sc.Hold.ID.IsZero() {
		current, err = holdIs(t, sc.Hold)
	}
	if err == nil && !current {
		err = ports.ErrConflict
	}
	return err
}

// scheduled makes a schedule true in memory.
func (st *store) scheduled(sc *scheduling) {
	var added changes
	skipped := sc.Skipped
	for i := range sc.planned {
		next := &sc.planned[i]
		if a := next.admission; a != nil {
			if a.outcome.Spent != nil && a.newBucket {
				st.keep.counted()
			}
			if a.skipped != nil {
				skipped = append(skipped[:len(skipped):len(skipped)], *a.skipped)
			}
		}
		if sc.answer[i].Result != flow.Started {
			continue
		}
		st.cache.put(next.state)
		st.running.add(next.state.FunctionID, next.state.ID)
		st.keep.started(next.state, len(next.key) > 0 && !next.replaced)
		added.add(next.jobs)
		st.pauses.apply(next.state.ID, nil, next.pauses.pauses, next.pauses.bodies)
	}
	st.keep.skipped(skipped)
	if !sc.Event.IsZero() {
		st.log.settle(sc.Event)
	}
	st.log.add(sc.published)
	st.holds.apply(sc.held)
	st.queue.apply(added)
}

// plannedRun is a run to be created, with what is written of it. It is prepared by the caller, so that the writer only
// writes.
type plannedRun struct {
	state run.State
	cron  string
	key   []byte
	// request asks flow control, nil for none; paused and batch are as in ports.NewRun.
	request *flow.Request
	paused  bool
	batch   ulid.ULID
	// record is the request's event, of a run whose event goes into a hold.
	record []byte
	// admission is what becomes of it, nil without a request.
	admission *admission
	// replaced tells that the key took the place of an expired one, so that no more keys are stored than before.
	replaced bool
	instead  map[flow.Result][]event.Tracked
	answers  map[ulid.ULID][]event.Tracked
	// steps are the memos of the state, with their names.
	steps    []run.Step
	original ulid.ULID
	meta     []byte
	jobs     plannedJobs
	pauses   plannedPauses
	parts    []part
	// spans are what history shows of it when it starts, told is their record.
	spans []trace.Span
	told  []byte
	size  int
}

func planRun(next ports.NewRun) plannedRun {
	p := plannedRun{
		cron: next.Cron, instead: next.Instead, answers: next.Answers, request: next.Request, paused: next.Paused, batch: next.Batch, spans: next.Spans,
	}
	if next.IdempotencyKey != "" {
		p.key = keyHash(next.IdempotencyKey)
	}
	for _, events := range next.Instead {
		p.size += eventsSize(events)
	}
	for _, events := range next.Answers {
		p.size += eventsSize(events)
	}
	if values := next.Request; values != nil && (values.Values.Batched || values.Values.Debounced) {
		// No run comes of it now, whatever is decided.
		p.state, p.record = next.State, marshal(eventRecord(next.Request.Event))
		p.size += 200 + len(p.record)
		return p
	}
	p.run(next)
	return p
}

// run prepares what is written of a run that starts.
func (p *plannedRun) run(next ports.NewRun) {
	s := next.State
	jobs := append([]run.Job{next.Start}, next.More...)
	kinds := make(map[string]run.Kind, len(s.Jobs)+len(jobs))
	maps.Copy(kinds, s.Jobs)
	for i := range jobs {
		kinds[jobs[i].ID] = jobs[i].Kind
	}
	s.Jobs = kinds
	p.state, p.meta, p.jobs = s, marshal(metaRecord(s)), planJobs(s, jobs)
	p.pauses, p.parts = planPauses(slices.Collect(maps.Values(s.Pauses))), stateParts(s)
	p.original, p.steps = next.Original, startSteps(next)
	p.size += 600 + len(p.meta) + p.jobs.size + p.pauses.size + partsSize(p.parts) + s.Size + eventsSize(s.Events) + 27*len(s.Events)
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
		if err != nil {
			return ports.Scheduled{}, err
		}
		if used {
			return ports.Scheduled{RunID: earlier, Result: flow.Duplicate}, nil
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
	if err := p.writeBatch(t); err != nil {
		return err
	}
	return writeStart(t, p.state.ID, p.state.FunctionID, p.firstEvent(), p.batch, p.original, p.cron)
}

// firstEvent is the ID of the first of the events that started the run, zero for none.
func (p *plannedRun) firstEvent() ulid.ULID {
	if len(p.state.Events) == 0 {
		return ulid.ULID{}
	}
	return p.state.Events[0].InternalID
}

// writeBatch writes which events the run of a batch has; a single one is named by the run. Spec 15 §3.7.
func (p *plannedRun) writeBatch(t *tx) error {
	s := &p.state
	if p.batch.IsZero() || len(s.Events) < 2 {
		return nil
	}
	list := make([]byte, 0, (ulid.EncodedSize+1)*len(s.Events))
	for i := range s.Events {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, s.Events[i].InternalID.String()...)
	}
	_, err := t.exec(t.statements.insertEventBatch, p.batch[:], ids.AccountIDText, environmentID, s.AppID.String(), s.FunctionID.String(),
		s.ID[:], formatInstant(timeOf(p.batch)), formatInstant(timeOf(s.ID)), list)
	return err
}

func writeStart(t *tx, id ulid.ULID, function uuid.UUID, eventID, batch, original ulid.ULID, schedule string) error {
	var cron any
	if schedule != "" {
		cron = schedule
	}
	_, err := t.exec(t.statements.insertFunctionRun, id[:], formatInstant(timeOf(id)), function.String(), eventID[:], batch[:], original[:],
		cron, environmentID)
	return err
}

// writeSkipped writes both rows of history of runs that do not start.
func writeSkipped(t *tx, runs []ports.SkippedRun) error {
	for _, skipped := range runs {
		if err := writeSkip(t, skipped, ulid.ULID{}); err != nil {
			return err
		}
	}
	return nil
}

// writeSkip writes both rows of history of a run that does not start.
func writeSkip(t *tx, skipped ports.SkippedRun, batch ulid.ULID) error {
	if err := writeStart(t, skipped.RunID, skipped.FunctionID, skipped.Event, batch, ulid.ULID{}, skipped.Cron); err != nil {
		return err
	}
	return writeFinish(t, skipped.RunID, skipped.End)
}

// keyOwner is the run that an idempotency key was used for, zero when it is free; found says that it has a row all the same.
func keyOwner(t *tx, key []byte, now time.Time) (owner ulid.ULID, found bool, err error) {
	found, done, err := t.row(t.statements.getKey, key)
	defer done()
	if found && t.statements.getKey.ColumnInt64(1) > now.UnixNano() {
		t.statements.getKey.ColumnBytes(0, owner[:])
	}
	return owner, found, err
}

// takeKey makes the run the owner of its idempotency key, or tells whose it is.
func (st *store) takeKey(t *tx, p *plannedRun) (earlier ulid.ULID, used bool, err error) {
	now := st.writer.now()
	earlier, found, err := keyOwner(t, p.key, now)
	if err != nil || !earlier.IsZero() {
		return earlier, true, err
	}
	p.replaced = found
	if found {
		if _, err := t.exec(t.statements.deleteKey, p.key); err != nil {
			return earlier, false, err
		}
	}
	_, err = t.exec(t.statements.insertKey, p.key, p.state.ID[:], now.Add(keyLife).UnixNano())
	return earlier, false, err
}
