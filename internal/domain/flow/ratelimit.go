package flow

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/expr"
)

// RateLimit drops what comes too often. It counts each event once, before anything else is made of it. It is a GCRA limiter, not a
// window: a tenth of the limit more than one may pass at once, then one per period/limit.
//
// The setting "idempotency" is a rate limit of 1 in 24 h by its expression: an event is dropped until 24 h after the one that was
// admitted.
//
// Source: spec 11 §5.
type RateLimit struct {
	Bucket
	key *key
	err error // why nothing can be decided
}

// RequestWindow is how long a request that was counted is not counted again.
const RequestWindow = 5 * time.Minute

// InvokedRateLimited is the message of the error that an invoking step ends with when the event of its invocation is dropped.
const InvokedRateLimited = "invoked function is rate limited"

var errRateLimitKey = errors.New("could not get constraints for schedule: could not get rate limit key: rate limit expression evaluation failed")

// of is what the event is counted under, nil if it is not counted: its key is false or missing.
func (r *RateLimit) of(fn uuid.UUID, s *expr.Subject) (*BucketKey, error) {
	if r.err != nil {
		return nil, r.err
	}
	if r.key == nil {
		return &BucketKey{Key: fn.String()}, nil
	}
	hash, err := r.key.optionalHash(s)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRateLimitKey, err)
	}
	if hash == "" {
		return nil, nil
	}
	return &BucketKey{Hash: r.key.hash(), Key: fn.String() + "-" + hash}, nil
}

// Counted is what is stored of a rate limit for a request.
type Counted struct {
	// TAT is that of the bucket; zero when none is stored.
	TAT time.Time
	// Before says that a request with the same idempotency key was counted within RequestWindow.
	Before bool
}

// Admit counts a request: it is allowed without taking a token if it was counted before, otherwise if there is a token. Nothing is to be
// stored if the answer's TTL is 0. What was taken is never given back, whatever becomes of the request.
func (r *RateLimit) Admit(known Counted, now time.Time) Taken {
	if known.Before {
		return Taken{Allowed: true, TAT: known.TAT, RetryAt: now}
	}
	return r.Take(known.TAT, now)
}
