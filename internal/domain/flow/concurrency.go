package flow

import (
	"strings"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
)

// StepLimit lets at most Limit steps run at once: of the function, or by the key within the function, environment or account.
//
// Source: spec 11 §8.2.
type StepLimit struct {
	// Limit is above 0.
	Limit int
	Scope function.Scope
	// Hash identifies the key expression, empty without a key. Limits of different functions count together only if they have the same.
	Hash string
	key  *key
}

// RunLimit lets at most Limit runs, by the key, be in progress: from a run's first call until it has ended.
//
// Source: spec 11 §8.3.
type RunLimit struct {
	// Limit is above 0.
	Limit int
	// ID is what is counted: "fn:<function>" without a key, "fnkey:<hash>" with one.
	ID  string
	key *key
}

// semaphore is the ID of a run limit.
func semaphore(fn uuid.UUID, key string) string {
	if key == "" {
		return "fn:" + fn.String()
	}
	return "fnkey:" + ids.X36(fn.String()+key)
}

// ConcurrencyKey is a run's key for a limit of steps. It is made when the run is scheduled, of its first event, and holds for all of its
// steps.
type ConcurrencyKey struct {
	// Key is "<f|e|a>:<function, environment or account>:<hash of the value>".
	Key string
	// Hash is that of the expression.
	Hash string
	// Limit is that at the time; what counts is the function's current one.
	Limit int
}

// RunKey is what a run is counted under by a RunLimit.
type RunKey struct {
	// ID is the limit's, Value the hash of the key's value, empty without a key.
	ID, Value string
}

// scopeName is the letter of a scope and the ID of what it spans.
func scopeName(scope function.Scope, fn uuid.UUID) (letter, entity string) {
	switch scope {
	case function.ScopeEnv:
		return "e", ids.EnvIDText
	case function.ScopeAccount:
		return "a", ids.AccountIDText
	default:
		return "f", fn.String()
	}
}

func (l StepLimit) of(fn uuid.UUID, s *expr.Subject) (ConcurrencyKey, error) {
	text, err := l.key.textOr(s, missing)
	letter, entity := scopeName(l.Scope, fn)
	return ConcurrencyKey{Key: letter + ":" + entity + ":" + ids.X36(text), Hash: l.Hash, Limit: l.Limit}, err
}

// of is the key of the event's run. All runs whose key cannot be evaluated share one.
func (l *RunLimit) of(s *expr.Subject) (RunKey, error) {
	if l.key == nil {
		return RunKey{ID: l.ID}, nil
	}
	text, err := l.key.textOr(s, "")
	return RunKey{ID: l.ID, Value: ids.X36(text)}, err
}

// Defaults are the limits of steps that hold without being asked for; 0 is none. The reference has 1000 for both.
type Defaults struct {
	// Account is across all functions.
	Account int
	// Function is of each function that has no limit without a key.
	Function int
}

// Constraints are what a step of a run with the keys must have room in, for Capacity: the account, the function and each key, with the
// function's current limits. A key whose limit the function does not have any more constrains nothing.
func (s *Settings) Constraints(keys []ConcurrencyKey, defaults Defaults) []Constraint {
	constraints := make([]Constraint, 0, 2+len(keys))
	if defaults.Account > 0 {
		constraints = append(constraints, Constraint{Key: "a:" + ids.AccountIDText, Limit: defaults.Account})
	}
	if limit := s.functionLimit(defaults); limit > 0 {
		constraints = append(constraints, Constraint{Key: "f:" + s.Function.String(), Limit: limit})
	}
	for _, key := range keys {
		if limit := s.stepLimit(key); limit > 0 {
			constraints = append(constraints, Constraint{Key: key.counter(), Limit: limit})
		}
	}
	return constraints
}

func (s *Settings) functionLimit(defaults Defaults) int {
	for _, limit := range s.Steps {
		if limit.key == nil {
			return limit.Limit
		}
	}
	return defaults.Function
}

// stepLimit is the current limit of a key, 0 if there is none.
func (s *Settings) stepLimit(key ConcurrencyKey) int {
	if limit := s.limitOf(key); limit != nil {
		return limit.Limit
	}
	return 0
}

// limitOf is the limit that a key is for, nil if there is none.
func (s *Settings) limitOf(key ConcurrencyKey) *StepLimit {
	for i := range s.Steps {
		limit := &s.Steps[i]
		if letter, _ := scopeName(limit.Scope, s.Function); limit.key != nil && limit.Hash == key.Hash && strings.HasPrefix(key.Key, letter+":") {
			return limit
		}
	}
	return nil
}

// counter is what is counted: the name of the reference's set, "<f|e|a>:<entity><<hash>:<hash of the value>>".
func (k ConcurrencyKey) counter() string {
	at := strings.LastIndexByte(k.Key, ':')
	return k.Key[:at] + "<" + k.Hash + ":" + k.Key[at+1:] + ">"
}

// RunConstraint is what the start of a run with the key must have room in, with the function's current limit. The run holds it until it has
// ended. It is false if the function does not have the limit any more.
func (s *Settings) RunConstraint(key *RunKey) (Constraint, bool) {
	if key == nil || s.Run == nil || s.Run.ID != key.ID {
		return Constraint{}, false
	}
	return Constraint{Key: key.ID + ":" + key.Value, Limit: s.Run.Limit}, true
}
