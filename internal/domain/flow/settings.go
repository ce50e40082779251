package flow

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/duration"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/function"
)

// Settings is the flow control that a function asks for, ready to be used: expressions compiled and durations read. A part that the
// function does not have is nil. It is immutable and safe for concurrent use.
type Settings struct {
	Function  uuid.UUID
	Batch     *Batch
	Debounce  *Debounce
	Singleton *Singleton
	RateLimit *RateLimit
	Throttle  *Throttle
	Priority  *Priority
	// Steps are the limits of what runs at once, at most two, smallest first.
	Steps []StepLimit
	// Run limits runs in progress.
	Run *RunLimit
}

// Empty says that nothing is asked for: every event starts a run at once.
func (s *Settings) Empty() bool {
	return s.Batch == nil && s.Debounce == nil && s.Singleton == nil && s.RateLimit == nil && s.Throttle == nil && s.Priority == nil &&
		len(s.Steps) == 0 && s.Run == nil
}

// compiler collects what is wrong with settings on the way.
type compiler struct {
	faults []error
}

func (c *compiler) fault(setting string, err error) {
	if err != nil {
		c.faults = append(c.faults, fmt.Errorf("%s: %w", setting, err))
	}
}

func (c *compiler) key(setting, text string) *key {
	compiled := compileKey(text)
	if compiled != nil {
		c.fault(setting, compiled.err)
	}
	return compiled
}

// Compile reads a function's settings. It takes milliseconds per expression, so it is for once per version of the function.
//
// The errors, each beginning with the setting's name, are of what cannot be used; they are for the log. Registration refuses most of it,
// but settings may have been stored by another server. Such a setting then does the following (spec 11 §1.2):
//
//   - a rate limit or batch key that does not compile, and a rate limit's period that is no duration, make every evaluation fail;
//   - other keys that do not compile count as "false", a debounce's as "<invalid>", a run limit's as "", a singleton's as no key at all;
//   - a priority that does not compile is 0; a batch condition that does not compile is false;
//   - a batch timeout that is no duration is a minute; a debounce timeout, none;
//   - a debounce without a positive period, a rate limit or throttle without a positive period, a limit without room and a limit of a
//     scope without the key that it needs are left out.
func Compile(fn function.Function) (*Settings, []error) {
	var c compiler
	stored := fn.Settings
	return &Settings{
		Function:  fn.ID,
		Batch:     c.batch(stored.Batch),
		Debounce:  c.debounce(stored.Debounce),
		Singleton: c.singleton(stored.Singleton),
		RateLimit: c.rateLimit(stored.RateLimit),
		Throttle:  c.throttle(stored.Throttle),
		Priority:  c.priority(stored.Priority),
		Steps:     c.steps(stored.Concurrency),
		Run:       c.run(fn.ID, stored.Concurrency),
	}, c.faults
}

var (
	errNotPositive = errors.New("must be positive")
	errNoRoom      = errors.New("concurrency limit must be > 0")
	errTooMany     = errors.New("more limits than are allowed")
	errNeedsKey    = errors.New("this scope needs a key")
)

// defaultBatchTimeout is that of a batch whose own is no duration.
const defaultBatchTimeout = time.Minute

func (c *compiler) batch(stored *function.Batch) *Batch {
	if stored == nil || stored.MaxSize <= 1 || stored.Timeout == "" {
		return nil
	}
	timeout, err := time.ParseDuration(stored.Timeout)
	if err != nil {
		c.fault("batchEvents.timeout", err)
		timeout = defaultBatchTimeout
	}
	return &Batch{
		MaxSize: stored.MaxSize, Timeout: max(timeout, 0),
		key: c.key("batchEvents.key", stored.Key), when: c.key("batchEvents.if", stored.If),
	}
}

func (c *compiler) debounce(stored *function.Debounce) *Debounce {
	if stored == nil {
		return nil
	}
	period, err := duration.ParseDuration(stored.Period)
	if err == nil && period <= 0 {
		err = errNotPositive
	}
	if err != nil {
		c.fault("debounce.period", err)
		return nil
	}
	var timeout time.Duration
	if stored.Timeout != "" {
		timeout, err = duration.ParseDuration(stored.Timeout)
		c.fault("debounce.timeout", err)
	}
	return &Debounce{Period: period, Timeout: max(timeout, 0), key: c.key("debounce.key", stored.Key)}
}

func (c *compiler) singleton(stored *function.Singleton) *Singleton {
	if stored == nil {
		return nil
	}
	return &Singleton{Cancels: stored.Mode == function.SingletonCancel, key: c.key("singleton.key", stored.Key)}
}

func (c *compiler) rateLimit(stored *function.RateLimit) *RateLimit {
	if stored == nil {
		return nil
	}
	limit := &RateLimit{key: c.key("rateLimit.key", stored.Key)}
	period, err := duration.ParseDuration(stored.Period)
	switch {
	case err != nil:
		c.fault("rateLimit.period", err)
		limit.err = fmt.Errorf("rate limit period: %w", err)
	case period <= 0:
		c.fault("rateLimit.period", errNotPositive)
		return nil
	default:
		limit.Bucket = NewBucket(stored.Limit, stored.Limit/10, period)
	}
	return limit
}

func (c *compiler) throttle(stored *function.Throttle) *Throttle {
	if stored == nil {
		return nil
	}
	if stored.Period <= 0 {
		c.fault("throttle.period", errNotPositive)
		return nil
	}
	limit, burst := max(stored.Limit, 1), max(stored.Burst, 0)
	throttle := &Throttle{Bucket: NewBucket(limit, add(limit, burst)-1, time.Duration(stored.Period)), key: c.key("throttle.key", stored.Key)}
	throttle.Hash = throttleHash(throttle.key)
	return throttle
}

// add adds two numbers that are not negative, up to the largest there is.
func add(left, right int) int {
	if sum := left + right; sum >= left {
		return sum
	}
	return int(^uint(0) >> 1)
}

func (c *compiler) priority(stored *function.Priority) *Priority {
	if stored == nil || stored.Run == nil {
		return nil
	}
	program, err := expr.Compile(*stored.Run)
	c.fault("priority.run", err)
	if err != nil {
		return nil
	}
	return &Priority{program: program}
}

// maxStepLimits is how many limits of steps a function may have.
const maxStepLimits = 2

func (c *compiler) steps(stored *function.Concurrency) []StepLimit {
	if stored == nil {
		return nil
	}
	var limits []StepLimit
	for _, one := range stored.Step {
		const setting = "concurrency"
		scope := one.Scope
		if scope == "" {
			scope = function.ScopeFunction
		}
		switch {
		case one.Key == "" && scope != function.ScopeFunction:
			c.fault(setting, errNeedsKey)
		case one.Limit <= 0 && one.Key == "": // no limit of its own
		case one.Limit <= 0:
			c.fault(setting, errNoRoom)
		case len(limits) == maxStepLimits:
			c.fault(setting, errTooMany)
		default:
			limit := StepLimit{Limit: one.Limit, Scope: scope, Hash: one.Hash, key: c.key(setting+".key", one.Key)}
			if limit.Hash == "" {
				limit.Hash = limit.key.hash()
			}
			limits = append(limits, limit)
		}
	}
	return limits
}

// run is the limit of runs that the app asked for. The capacity of a connected app's workers, which stands beside it, is not the
// function's.
func (c *compiler) run(fn uuid.UUID, stored *function.Concurrency) *RunLimit {
	if stored == nil {
		return nil
	}
	var limit *RunLimit
	for _, one := range stored.Run {
		const setting = "concurrency.fn"
		switch {
		case one.Scope == function.RunScopeApp:
		case one.Limit <= 0:
			c.fault(setting, errNoRoom)
		case limit != nil:
			c.fault(setting, errTooMany)
		default:
			limit = &RunLimit{Limit: one.Limit, ID: semaphore(fn, one.Key), key: c.key(setting+".key", one.Key)}
		}
	}
	return limit
}
