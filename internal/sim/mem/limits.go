package mem

import (
	"time"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/run"
)

// Limit implements ports.Queue. Jobs in hand also take places in what is limited from now on, with or without room, so that a limit that
// is new counts them.
func (b *Backend) Limit(function uuid.UUID, settings *flow.Settings) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.limits, function)
	if settings != nil {
		b.limits[function] = settings
	}
	for _, j := range b.jobs {
		if j.token == 0 || j.FunctionID != function {
			continue
		}
		for _, one := range b.constraints(j) {
			j.places[one.Key] = true
		}
	}
	b.awaken()
}

// keysOf are what the job is ordered and limited by.
func (b *Backend) keysOf(j *job) flow.Keys {
	if keys := b.runs[j.RunID].Keys; keys != nil {
		return *keys
	}
	return flow.Keys{}
}

// score is the job's place in its function's queue once its time has come.
func (b *Backend) score(j *job) int64 {
	return flow.Score(flow.Place{Kind: string(j.Kind), Run: j.RunID, Factor: b.keysOf(j).Factor, At: j.At}, j.At)
}

// due is when the job may be handed out if there is room for it.
func (b *Backend) due(j *job) time.Time {
	if from := time.UnixMilli(b.score(j)).UTC(); from.After(j.At) {
		return from
	}
	return j.At
}

// calls reports whether a kind of job may call the app or make a request for it. A sleep calls the app itself.
func calls(kind run.Kind) bool { return kind != run.KindPause && kind != run.KindCancel }

// constraints are what the job needs room in while it is in hand.
func (b *Backend) constraints(j *job) []flow.Constraint {
	settings := b.limits[j.FunctionID]
	if settings == nil || !calls(j.Kind) {
		return nil
	}
	return settings.Constraints(b.keysOf(j).Concurrency, flow.Defaults{})
}

// runConstraint is what the job needs room in to be the first of its run.
func (b *Backend) runConstraint(j *job) (flow.Constraint, bool) {
	settings := b.limits[j.FunctionID]
	if settings == nil || j.Kind != run.KindStart || b.started[j.RunID] {
		return flow.Constraint{}, false
	}
	return settings.RunConstraint(b.keysOf(j).Run)
}

// throttle is what the job needs a token of, and the name of its TAT; nil when it needs none, or has it.
func (b *Backend) throttle(j *job) (*flow.Throttle, string) {
	settings, key := b.limits[j.FunctionID], b.keysOf(j).Throttle
	if settings == nil || key == nil || j.Kind != run.KindStart || j.admitted {
		return nil, ""
	}
	return settings.ThrottleOf(key), "throttle:" + key.State(j.FunctionID)
}

// room says whether there is room for a job that is due, given what is taken; if not, when there may be some though nothing
// changes, zero for never.
func (b *Backend) room(j *job, now time.Time, steps map[string]int, runs map[flow.RunKey]int) (bool, time.Time) {
	for _, one := range b.constraints(j) {
		if steps[one.Key] >= one.Limit {
			return false, time.Time{}
		}
	}
	if limit, limited := b.runConstraint(j); limited && runs[*b.keysOf(j).Run] >= limit.Limit {
		return false, time.Time{}
	}
	if throttle, name := b.throttle(j); throttle != nil {
		if found := throttle.Peek(b.tats[name], now); !found.Allowed {
			return false, found.RetryAt
		}
	}
	return true, time.Time{}
}

// taken counts who holds each constraint of steps, and each of runs.
func (b *Backend) taken() (steps map[string]int, runs map[flow.RunKey]int) {
	steps, runs = map[string]int{}, map[flow.RunKey]int{}
	for _, j := range b.jobs {
		if j.token == 0 {
			continue
		}
		for key := range j.places {
			steps[key]++
		}
	}
	for id := range b.started {
		if keys := b.runs[id].Keys; keys != nil && keys.Run != nil {
			runs[*keys.Run]++
		}
	}
	return steps, runs
}

// occupy takes what the job needs: there is room.
func (b *Backend) occupy(j *job, now time.Time) {
	j.places = map[string]bool{}
	for _, one := range b.constraints(j) {
		j.places[one.Key] = true
	}
	if throttle, name := b.throttle(j); throttle != nil {
		b.tats[name] = throttle.Take(b.tats[name], now).TAT
		j.admitted = true
	}
	if j.Kind == run.KindStart {
		b.started[j.RunID] = true
	}
}
