package flow

import (
	"fmt"
	"time"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/expr"
)

// Evaluated is what an event comes to under a function's settings, before anything stored is looked at. Only what counts for its origin and
// fate is filled in: of an event for a batch, the batch's key; of one that is debounced, what it is counted and debounced by. The rest is
// evaluated when the batch or debounce starts its run.
type Evaluated struct {
	From Origin
	// Err is why nothing can be made of the event for this function: its batch key or rate limit key cannot be evaluated. The function must
	// not be scheduled, visibly; other functions are not concerned.
	Err error
	// Batched says that the event is for a batch; BatchKey names the open one, empty for a function without a key.
	Batched  bool
	BatchKey string
	// RateLimit is what the event is counted under, nil for nothing.
	RateLimit *BucketKey
	// Debounced says that the event is to be debounced, under DebounceKey within its function; the key may be empty.
	Debounced   bool
	DebounceKey string
	// SingletonKey is the lock that the run needs, empty for none.
	SingletonKey string
	// Factor is the run's priority in seconds.
	Factor int
	// Concurrency are the run's keys for limits of steps.
	Concurrency []ConcurrencyKey
	// Run is the run's key for the limit of runs, nil for none.
	Run *RunKey
	// Throttle is what the run's start is throttled by, nil for nothing.
	Throttle *BucketKey
	// Faults are what could not be evaluated and was replaced as Compile says, each with the setting's name; for the log.
	Faults []error
}

// Evaluate evaluates a function's key expressions on an event, for a batch its first. The instant is what now() gives.
func (s *Settings) Evaluate(e event.Event, from Origin, now time.Time) Evaluated {
	return s.EvaluateSubject(expr.NewSubject(e, now), from)
}

// EvaluateSubject is Evaluate for an event that other expressions are evaluated on as well, so that its payload is decoded once. Subjects
// are not safe for concurrent use.
func (s *Settings) EvaluateSubject(subject *expr.Subject, from Origin) Evaluated {
	v := Evaluated{From: from}
	if s.Empty() {
		return v
	}
	s.batch(&v, subject)
	if v.Batched || v.Err != nil {
		return v
	}
	if s.RateLimit != nil && from.counts() {
		v.RateLimit, v.Err = s.RateLimit.of(s.Function, subject)
	}
	if v.Err != nil {
		return v
	}
	if s.Debounce != nil && from.debounces() {
		var err error
		v.Debounced = true
		v.DebounceKey, err = s.Debounce.of(s.Function, subject)
		v.fault("debounce.key", err)
		return v
	}
	s.run(&v, subject)
	return v
}

func (v *Evaluated) fault(setting string, err error) {
	if err != nil {
		v.Faults = append(v.Faults, fmt.Errorf("%s: %w", setting, err))
	}
}

func (s *Settings) batch(v *Evaluated, subject *expr.Subject) {
	if s.Batch == nil || !v.From.batches() {
		return
	}
	taken, err := s.Batch.takes(subject)
	v.fault("batchEvents.if", err)
	if taken {
		v.BatchKey, v.Err = s.Batch.of(subject)
		v.Batched = v.Err == nil
	}
}

// run evaluates what a run has from its start.
func (s *Settings) run(v *Evaluated, subject *expr.Subject) {
	var err error
	if s.Priority != nil {
		v.Factor, err = s.Priority.of(subject)
		v.fault("priority.run", err)
	}
	for _, limit := range s.Steps {
		if limit.key == nil {
			continue
		}
		key, err := limit.of(s.Function, subject)
		v.fault("concurrency.key", err)
		v.Concurrency = append(v.Concurrency, key)
	}
	if s.Run != nil {
		key, err := s.Run.of(subject)
		v.fault("concurrency.fn.key", err)
		v.Run = &key
	}
	if s.Throttle != nil {
		key, err := s.Throttle.of(s.Function, subject)
		v.fault("throttle.key", err)
		v.Throttle = &key
	}
	if s.Singleton != nil {
		v.SingletonKey, err = s.Singleton.of(s.Function, subject)
		v.fault("singleton.key", err)
	}
}
