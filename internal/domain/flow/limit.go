package flow

import (
	"strings"
	"time"

	"github.com/ingothq/ingot/internal/domain/function"
)

// LimitKind is a kind of limit that a job can meet.
type LimitKind int

// The kinds of limits.
const (
	// LimitAccount is of the steps of all functions.
	LimitAccount LimitKind = iota
	// LimitFunction is of the steps of a function.
	LimitFunction
	// LimitKey is of the steps with the same value of a key, in its scope.
	LimitKey
	// LimitRuns is of the runs in progress of a function, with the same value of a key if there is one.
	LimitRuns
	// LimitThrottle is of the runs that a function starts in a period.
	LimitThrottle
	// LimitKinds is how many kinds there are.
	LimitKinds = iota
)

// String is the kind's name in metrics and answers.
func (k LimitKind) String() string {
	return [...]string{"account", "function", "key", "runs", "throttle"}[k]
}

// Limit is a limit that a job meets, as its function's author knows it.
type Limit struct {
	Kind LimitKind
	// Scope is what it spans, of LimitKey only.
	Scope function.Scope
	// Expression is the key as the author wrote it, empty for none.
	Expression string
	// Number is how many there may be at once; of a throttle, the tokens of a full bucket.
	Number int
	// Held is how many there are; of a throttle, how many tokens were taken and have not come back. It may be above Number: a limit that is
	// lowered takes nothing away.
	Held int
	// Every is how far apart the tokens of a throttle come; zero for other limits.
	Every time.Duration
}

// KindOf is the kind of limit that a constraint's key is the counter of.
func KindOf(key string) LimitKind {
	switch {
	case strings.HasPrefix(key, "fn:"), strings.HasPrefix(key, "fnkey:"):
		return LimitRuns
	case strings.HasSuffix(key, ">"):
		return LimitKey
	case strings.HasPrefix(key, "a:"):
		return LimitAccount
	default:
		return LimitFunction
	}
}

// LimitOf is the limit that stands behind a constraint of a job of a run with the keys, without what is held of it.
func (s *Settings) LimitOf(one Constraint, keys *Keys) Limit {
	limit := Limit{Kind: KindOf(one.Key), Number: one.Limit}
	switch limit.Kind {
	case LimitKey:
		if found := s.keyed(one.Key, keys); found != nil {
			limit.Scope, limit.Expression = found.Scope, found.key.text
		}
	case LimitRuns:
		limit.Expression = s.Run.key.source()
	}
	return limit
}

// keyed is the limit of steps whose counter has the name, nil for none.
func (s *Settings) keyed(counter string, keys *Keys) *StepLimit {
	if keys == nil {
		return nil
	}
	for _, key := range keys.Concurrency {
		if key.counter() == counter {
			return s.limitOf(key)
		}
	}
	return nil
}

// Limit is the throttle as a limit; the bucket is full at tat.
func (t *Throttle) Limit(tat, now time.Time) Limit {
	return Limit{
		Kind: LimitThrottle, Expression: t.key.source(), Number: t.Burst(), Every: t.emission,
		Held: int(ceilDiv0(t.debt(tat, now), t.emission)),
	}
}

// ceilDiv0 is the quotient rounded up, of a dividend that is not negative.
func ceilDiv0(dividend, divisor time.Duration) time.Duration {
	if dividend == 0 {
		return 0
	}
	return (dividend-1)/divisor + 1
}
