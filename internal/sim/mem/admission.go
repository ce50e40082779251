package mem

import (
	"fmt"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// decide says what becomes of each run, and writes nothing.
func (b *Backend) decide(runs []ports.NewRun) ([]flow.Outcome, error) {
	outcomes := make([]flow.Outcome, len(runs))
	started := map[string]ulid.ULID{} // by keys, earlier in the call
	for i, r := range runs {
		known := b.known(r)
		if id, used := started[r.IdempotencyKey]; used {
			known.Run, known.RateLimit.Before = id, true
		}
		out, err := admit(r, known, b)
		if err != nil {
			return nil, err
		}
		if !out.Cancel.IsZero() {
			return nil, &ports.LockedError{Lock: out.Lock, Holder: out.Cancel}
		}
		if awaited := out.Awaited(); awaited != nil {
			if _, answered := r.Answers[awaited.InternalID]; !answered {
				return nil, &ports.SupersededError{Function: r.State.FunctionID, Event: *awaited}
			}
		}
		if out.Result == flow.Started && r.IdempotencyKey != "" {
			started[r.IdempotencyKey] = r.State.ID
		}
		outcomes[i] = out
	}
	return outcomes, nil
}

// admit asks flow control. A run without a request only has an idempotency key in its way.
func admit(r ports.NewRun, known flow.Known, b *Backend) (flow.Outcome, error) {
	if r.Request != nil {
		out, err := flow.Admit(*r.Request, known, b.clock.Now().UTC())
		if err != nil {
			return out, fmt.Errorf("run %s: %w", r.State.ID, err)
		}
		return out, nil
	}
	if !known.Run.IsZero() {
		return flow.Outcome{Result: flow.Duplicate, Existing: known.Run}, nil
	}
	return flow.Outcome{Result: flow.Started, Start: r.Start.At}, nil
}

// known is what is stored under the keys of a run.
func (b *Backend) known(r ports.NewRun) flow.Known {
	known := flow.Known{Paused: r.Paused}
	if used, ok := b.keys[r.IdempotencyKey]; ok && used.expires.After(b.clock.Now()) {
		known.Run, known.RateLimit.Before = used.run, true
	}
	if r.Request == nil {
		return known
	}
	values := r.Request.Values
	known.Holder = b.locks[values.SingletonKey]
	if values.RateLimit != nil {
		known.RateLimit.TAT = b.tats[values.RateLimit.State(r.State.FunctionID)]
	}
	if h := b.openHold(r.State.FunctionID, ports.HoldBatch, values.BatchKey); values.Batched && h != nil {
		known.Batch = &flow.OpenBatch{ID: h.ID, Events: len(h.Events), Bytes: h.bytes, Deadline: h.Due}
	}
	if h := b.openHold(r.State.FunctionID, ports.HoldDebounce, values.DebounceKey); values.Debounced && h != nil {
		known.Debounced = &flow.Debounced{ID: h.ID, Event: h.Events[0], Due: h.Due, MaxAt: h.maxAt}
	}
	return known
}

// carryOut makes true what becomes of a run.
func (b *Backend) carryOut(r ports.NewRun, out flow.Outcome) ports.Scheduled {
	answer := ports.Scheduled{Result: out.Result, RetryAt: out.RetryAt}
	if out.Spent != nil {
		b.tats[r.Request.Values.RateLimit.State(r.State.FunctionID)] = out.Spent.TAT
	}
	switch out.Result {
	case flow.Started:
		answer.RunID, r.Start.At = r.State.ID, out.Start
		if out.Lock != "" {
			b.locks[out.Lock] = r.State.ID
		}
		b.start(r)
	case flow.IntoBatch:
		b.intoBatch(r, *out.Batch)
	case flow.IntoDebounce:
		if out.Debounced != nil {
			b.intoDebounce(r, *out.Debounced)
		}
	case flow.Skipped:
		answer.RunID = r.State.ID
		end := run.Skip(out.Reason, b.clock.Now().UTC())
		record := b.enter(r, end.Status)
		record.EndedAt, record.Output = end.At, end.Output
		b.recordSpans(trace.Ended(r.Spans, end, out.Reason, out.Existing))
	case flow.Duplicate:
		answer.RunID = out.Existing
	case flow.RateLimited:
	}
	b.accept(r.Instead[out.Result])
	if awaited := out.Awaited(); awaited != nil {
		b.accept(r.Answers[awaited.InternalID])
	}
	return answer
}
