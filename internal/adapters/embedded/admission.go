package embedded

import (
	"context"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// admission is what flow control made of a run. It is decided in the transaction that makes it true, before the first write:
// a refusal has written nothing, and runs of one schedule are of different functions, so that none changes what another was
// decided on.
type admission struct {
	outcome flow.Outcome
	now     time.Time
	// open is the hold that takes the event, nil when there is none.
	open *openHold
	// waiting is the event of open, of a debounce.
	waiting ulid.ULID
	// unreadable is why the debounce that was there, broken, cannot be read. It gives way to a new one.
	unreadable error
	broken     ulid.ULID
	// bucket is where the rate limit's state is; newBucket says that it has no row yet.
	bucket    string
	newBucket bool
	// answer is for whoever waits for the event that is superseded.
	answer []event.Tracked
	// skipped is the run if it does not start and is recorded.
	skipped *ports.SkippedRun
}

// rejected is an error of the domain, which goes to the caller as it is.
type rejected struct{ error }

func (r rejected) Unwrap() error { return r.error }

// admit decides about all runs of a schedule. It writes nothing.
func (st *store) admit(t *tx, sc *scheduling, now time.Time) error {
	for i := range sc.planned {
		p := &sc.planned[i]
		if p.request == nil {
			continue
		}
		p.admission = &admission{now: now}
		if err := p.decide(t, sc.Hold.ID); err != nil {
			return st.refused(t, sc.Event, err)
		}
	}
	return nil
}

// refused is the error of a schedule that is refused for one of its runs; that its event is settled already comes first,
// because the run in the way may be the one that it started.
func (st *store) refused(t *tx, id ulid.ULID, err error) error {
	if id.IsZero() {
		return err
	}
	found, done, readErr := t.row(t.statements.getInbox, id[:])
	done()
	switch {
	case readErr != nil:
		return readErr
	case !found:
		return ports.ErrConflict
	}
	return err
}

// decide asks flow control. settled is the hold that goes with the schedule, so that nothing is added to it.
func (p *plannedRun) decide(t *tx, settled ulid.ULID) error {
	known, err := p.known(t, settled)
	if err != nil {
		return err
	}
	outcome, err := flow.Admit(*p.request, known, p.admission.now)
	if err != nil {
		return rejected{err}
	}
	p.admission.outcome = outcome
	if awaited := outcome.Awaited(); awaited != nil {
		answer, answered := p.answers[awaited.InternalID]
		if !answered {
			return &ports.SupersededError{Function: p.state.FunctionID, Event: *awaited}
		}
		p.admission.answer = answer
	}
	switch {
	case !outcome.Cancel.IsZero():
		return &ports.LockedError{Lock: outcome.Lock, Holder: outcome.Cancel}
	case outcome.Result == flow.Started:
		p.jobs.jobs[0].At = outcome.Start
	case outcome.Result == flow.Skipped:
		p.admission.skipped = &ports.SkippedRun{
			RunID: p.state.ID, FunctionID: p.state.FunctionID, Event: p.firstEvent(), Cron: p.cron,
			End: run.Skip(outcome.Reason, p.admission.now),
		}
	}
	return nil
}

// known reads what is stored under the keys that the request names, and no more.
func (p *plannedRun) known(t *tx, settled ulid.ULID) (known flow.Known, err error) {
	values := &p.request.Values
	known.Paused = p.paused
	switch {
	case values.Err != nil:
		return known, nil
	case values.Batched:
		if err = p.findHold(t, ports.HoldBatch, values.BatchKey, settled); err == nil && p.admission.open != nil {
			open := p.admission.open
			known.Batch = &flow.OpenBatch{ID: open.id, Events: open.events, Bytes: open.bytes, Deadline: fromNanos(open.due)}
		}
		return known, err
	}
	if len(p.key) > 0 && (values.RateLimit != nil || !values.Debounced || values.From == flow.FromRequest) {
		if known.Run, _, err = keyOwner(t, p.key, p.admission.now); err != nil {
			return known, err
		}
	}
	if values.RateLimit != nil {
		p.admission.bucket = rateBucket + values.RateLimit.State(p.state.FunctionID)
		var found bool
		if known.RateLimit.TAT, found, err = bucket(t, p.admission.bucket); err != nil {
			return known, err
		}
		known.RateLimit.Before, p.admission.newBucket = !known.Run.IsZero(), !found
	}
	if values.Debounced {
		known.Debounced, err = p.debounced(t, values.DebounceKey, settled)
		return known, err
	}
	if values.SingletonKey != "" {
		known.Holder, err = lockHolder(t, values.SingletonKey)
	}
	return known, err
}

// findHold notes the hold that takes more events.
func (p *plannedRun) findHold(t *tx, kind ports.HoldKind, key string, settled ulid.ULID) error {
	open, err := findOpenHold(t, p.state.FunctionID, kind, key)
	if err == nil && open != nil && open.id != settled {
		p.admission.open = open
	}
	return err
}

// debounced reads what waits under a key. What cannot be read is nothing, and is parked when the new event takes its place.
func (p *plannedRun) debounced(t *tx, key string, settled ulid.ULID) (*flow.Debounced, error) {
	a := p.admission
	if err := p.findHold(t, ports.HoldDebounce, key, settled); err != nil || a.open == nil {
		return nil, err
	}
	waiting, err := heldEvent(t, a.open.id)
	switch {
	case t.failed != nil:
		return nil, err
	case err != nil:
		a.unreadable, a.broken, a.open = err, a.open.id, nil
		return nil, nil
	}
	a.waiting = waiting.InternalID
	return &flow.Debounced{ID: a.open.id, Event: waiting, Due: fromNanos(a.open.due), MaxAt: fromNanos(a.open.maxAt)}, nil
}

// carryOut makes true what was decided about a run.
func (st *store) carryOut(ctx context.Context, t *tx, sc *scheduling, p *plannedRun) (ports.Scheduled, error) {
	a := p.admission
	if a == nil {
		return st.insertRun(t, p)
	}
	if spent := a.outcome.Spent; spent != nil {
		if _, err := t.exec(t.statements.putBucket, a.bucket, nanos(spent.TAT)); err != nil {
			return ports.Scheduled{}, err
		}
	}
	answer := ports.Scheduled{Result: a.outcome.Result}
	switch a.outcome.Result {
	case flow.Started:
		if err := takeLock(t, p.state.ID, a.outcome.Lock); err != nil {
			return answer, err
		}
		return st.insertRun(t, p)
	case flow.IntoBatch:
		return answer, p.intoBatch(t, sc)
	case flow.IntoDebounce:
		return answer, p.intoDebounce(ctx, t, sc)
	case flow.RateLimited:
		answer.RetryAt = a.outcome.RetryAt
	case flow.Duplicate:
		answer.RunID = a.outcome.Existing
	case flow.Skipped:
		answer.RunID = p.state.ID
		if err := p.writeBatch(t); err != nil {
			return answer, err
		}
		return answer, writeSkip(t, *a.skipped, p.batch)
	}
	return answer, nil
}

// intoBatch puts the event in its batch. The cost does not depend on what is in it.
func (p *plannedRun) intoBatch(t *tx, sc *scheduling) error {
	a := p.admission
	appended := a.outcome.Batch
	for _, full := range appended.Full { // before a new one is opened under its key
		due := min(nanos(full.Deadline), nanos(a.now))
		if err := p.writeHeldBatch(t, sc, full, false, due); err != nil {
			return err
		}
	}
	if appended.Open == nil {
		return nil
	}
	return p.writeHeldBatch(t, sc, *appended.Open, true, nanos(appended.Open.Deadline))
}

// writeHeldBatch writes a batch as it is now, and the event if it went into this one.
func (p *plannedRun) writeHeldBatch(t *tx, sc *scheduling, batch flow.OpenBatch, open bool, due int64) error {
	before := p.admission.open
	if before == nil || before.id != batch.ID {
		return sc.held.note(newHold{
			id: batch.ID, function: p.state.FunctionID, kind: ports.HoldBatch, key: p.request.Values.BatchKey, open: open, due: due,
			event: p.request.Event.InternalID, bytes: batch.Bytes,
		}.insert(t, p.record))
	}
	put := p.admission.outcome.Batch.Put[0] == batch.ID
	change, err := before.update(t, open, due, batch.Events, batch.Bytes)
	if put {
		change.event = p.request.Event.InternalID
	}
	if err := sc.held.note(change, err); err != nil || !put {
		return err
	}
	_, err = t.exec(t.statements.insertHoldEvent, batch.ID[:], before.events, p.record)
	return err
}

// intoDebounce makes the event the one that waits, unless it is dropped or waits already.
func (p *plannedRun) intoDebounce(ctx context.Context, t *tx, sc *scheduling) error {
	a := p.admission
	if a.unreadable != nil {
		if err := parkHold(ctx, t, a.broken, a.unreadable.Error(), a.now); err != nil {
			return err
		}
		sc.held = append(sc.held, holdChange{id: a.broken, gone: true})
	}
	next := a.outcome.Debounced
	switch {
	case next == nil:
		return nil
	case a.open == nil:
		return sc.held.note(newHold{
			id: next.ID, function: p.state.FunctionID, kind: ports.HoldDebounce, key: p.request.Values.DebounceKey, open: true,
			due: nanos(next.Due), maxAt: nanos(next.MaxAt), event: next.Event.InternalID, bytes: p.request.Size,
		}.insert(t, p.record))
	case a.waiting == next.Event.InternalID:
		return nil
	}
	change, err := a.open.update(t, true, nanos(next.Due), 1, p.request.Size)
	change.event, change.alone = next.Event.InternalID, true
	if err := sc.held.note(change, err); err != nil {
		return err
	}
	_, err = t.exec(t.statements.replaceHoldEvent, p.record, a.open.id[:])
	return err
}

// holdChanges collects what a schedule does to holds.
type holdChanges []holdChange

// note adds a change that was written.
func (c *holdChanges) note(change holdChange, err error) error {
	if err == nil {
		*c = append(*c, change)
	}
	return err
}
