package mem

import (
	"context"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/ports"
)

// places are who holds what at present.
type places struct {
	steps map[string]int
	runs  map[flow.RunKey]int
}

// refusal is what keeps back a job that is due, and how much of it is held; false for nothing. A throttle comes first, then the last of the
// limits.
func (b *Backend) refusal(j *job, p places) (refused flow.Constraint, held int, found bool) {
	now := b.clock.Now()
	if throttle, name := b.throttle(j); throttle != nil && !throttle.Peek(b.tats[name], now).Allowed {
		return flow.Constraint{Key: name}, 0, true
	}
	for _, one := range b.constraints(j) {
		if p.steps[one.Key] >= one.Limit {
			refused, held, found = one, p.steps[one.Key], true
		}
	}
	if one, limited := b.runConstraint(j); limited && p.runs[*b.keysOf(j).Run] >= one.Limit {
		refused, held, found = one, p.runs[*b.keysOf(j).Run], true
	}
	return refused, held, found
}

// dueNow says whether a job would be handed out if there is room for it.
func (b *Backend) dueNow(j *job) bool {
	return j.token == 0 && !j.parked && !b.due(j).After(b.clock.Now())
}

// meet notes which limits the jobs meet that are due and were not handed out.
func (b *Backend) meet() {
	if len(b.limits) == 0 {
		clear(b.paces)
		return
	}
	var p places
	p.steps, p.runs = b.taken()
	waits := map[string]bool{}
	for _, j := range b.jobs {
		if !b.dueNow(j) {
			continue
		}
		refused, _, found := b.refusal(j, p)
		if !found {
			continue
		}
		waits[refused.Key] = true
		if j.refused != refused.Key {
			j.refused = refused.Key
			b.meter.Limited(j.FunctionID, b.kind(j, refused.Key))
		}
		if _, known := b.paces[refused.Key]; !known {
			b.paces[refused.Key] = flow.Pace{Since: b.clock.Now()}
		}
	}
	for key := range b.paces {
		if !waits[key] {
			delete(b.paces, key)
		}
	}
}

// kind is the kind of limit that a job's refusal is of.
func (b *Backend) kind(j *job, key string) flow.LimitKind {
	if _, name := b.throttle(j); name == key {
		return flow.LimitThrottle
	}
	return flow.KindOf(key)
}

// passes notes that a job gets past the limits that others wait for.
func (b *Backend) passes(j *job) {
	needed := b.constraints(j)
	if one, limited := b.runConstraint(j); limited {
		needed = append(needed, one)
	}
	for _, one := range needed {
		if pace, waits := b.paces[one.Key]; waits {
			pace.Passed++
			b.paces[one.Key] = pace
		}
	}
}

// Waiting implements ports.Queue.
func (b *Backend) Waiting(ctx context.Context, run ulid.ULID, ids []string) ([]ports.JobWaiting, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var p places
	p.steps, p.runs = b.taken()
	var all []ports.JobWaiting
	for _, id := range ids {
		for _, j := range b.jobs {
			if j.RunID == run && j.ID == id && !j.parked {
				all = append(all, ports.JobWaiting{QueuedJob: j.queued(), Waiting: b.why(j, p)})
			}
		}
	}
	return all, nil
}

// why says why a job is not done.
func (b *Backend) why(j *job, p places) flow.Waiting {
	switch {
	case j.token != 0:
		return flow.Waiting{Reason: flow.InHand}
	case !b.dueNow(j):
		return flow.Waiting{Reason: flow.DueLater, Expected: b.due(j)}
	}
	now := b.clock.Now()
	refused, held, found := b.refusal(j, p)
	why := flow.Waiting{Reason: flow.ForWorker}
	why.Ahead, why.AtLeast, why.Functions = b.ahead(j, refused.Key, p)
	throttle, name := b.throttle(j)
	switch {
	case !found:
	case throttle != nil && name == refused.Key:
		limit := throttle.Limit(b.tats[name], now)
		why.Reason, why.Limit, why.Expected = flow.ForToken, &limit, throttle.After(b.tats[name], now, why.Ahead)
	default:
		keys := b.keysOf(j)
		limit := b.limits[j.FunctionID].LimitOf(refused, &keys)
		limit.Held = held
		why.Reason, why.Limit = flow.ForRoom, &limit
		why.Expected = b.paces[refused.Key].Expect(why.Ahead, why.Functions, now)
	}
	return why
}

// ahead counts the jobs of the function that wait for the same and come before a job, and the functions that do.
func (b *Backend) ahead(j *job, key string, p places) (count int, more bool, functions int) {
	waiting, own := map[uuid.UUID]bool{}, true // until the job itself is met, those of its order come before it
	for _, other := range b.jobs {
		if other == j {
			own = false
		}
		refused, _, _ := b.refusal(other, p)
		if !b.dueNow(other) || refused.Key != key {
			continue
		}
		waiting[other.FunctionID] = true
		if other.FunctionID == j.FunctionID && other != j && (b.before(other, j) || own && !b.before(j, other)) {
			count++
		}
	}
	return min(count, flow.MostAhead), count > flow.MostAhead, len(waiting)
}

// Depth implements ports.Queue.
func (b *Backend) Depth(ctx context.Context) ([]ports.Depth, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var p places
	p.steps, p.runs = b.taken()
	found := map[uuid.UUID]*ports.Depth{}
	var all []ports.Depth
	for _, j := range b.jobs {
		if j.parked {
			continue
		}
		if found[j.FunctionID] == nil {
			found[j.FunctionID] = &ports.Depth{Function: j.FunctionID}
		}
		depth := found[j.FunctionID]
		_, _, refused := b.refusal(j, p)
		switch {
		case j.token != 0:
			depth.InHand++
		case b.due(j).After(b.clock.Now()):
			depth.Later++
		case refused:
			depth.NoRoom++
		default:
			depth.Ready++
		}
	}
	for _, depth := range found {
		all = append(all, *depth)
	}
	return all, nil
}
