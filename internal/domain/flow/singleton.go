package flow

import (
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/expr"
)

// Singleton allows one run in progress per key. The run holds the key's lock from when it is scheduled until it has ended.
//
// Source: spec 11 §6.
type Singleton struct {
	// Cancels says that a new run ends the old one; otherwise the new one is skipped.
	Cancels bool
	key     *key
}

// of is the name of the lock, empty if the event's run needs none: the key is false or missing or cannot be evaluated.
func (s *Singleton) of(fn uuid.UUID, subject *expr.Subject) (string, error) {
	if s.key == nil {
		return fn.String(), nil
	}
	hash, err := s.key.optionalHash(subject)
	if hash == "" {
		return "", err
	}
	return fn.String() + "-" + hash, nil
}

// Encounter is what a new run does about the lock.
type Encounter int

// The encounters.
const (
	// Free is to take the lock.
	Free Encounter = iota
	// SkipNew is not to start, because another run has it.
	SkipNew
	// CancelOld is to cancel the run that has it, and to take it.
	CancelOld
)

// Meet says what a new run does when the run holds the lock, zero for none.
func (s *Singleton) Meet(holder ulid.ULID) Encounter {
	switch {
	case holder.IsZero():
		return Free
	case s.Cancels:
		return CancelOld
	default:
		return SkipNew
	}
}
