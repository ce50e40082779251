package flow

import (
	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/ids"
)

// Throttle delays the starts of runs: limit and burst at once, then one per period/limit. Nothing else of a run is throttled.
//
// The start of a run waits for its token (Take) each time its job is handed out, until it has got one; a start that is repeated within
// RequestWindow after that takes no other.
//
// Source: spec 11 §7.
type Throttle struct {
	Bucket
	// Hash identifies the key expression.
	Hash string
	key  *key
}

// throttleHash is that of the expression, of the empty text if there is none.
func throttleHash(k *key) string {
	if k == nil {
		return ids.X36("")
	}
	return k.hash()
}

// of is the key that the event's run is throttled by.
func (t *Throttle) of(fn uuid.UUID, s *expr.Subject) (BucketKey, error) {
	name := BucketKey{Hash: t.Hash, Key: ids.X36(fn.String())}
	if t.key == nil {
		return name, nil
	}
	text, err := t.key.textOr(s, missing)
	name.Key += "-" + ids.X36(text)
	return name, err
}

// ThrottleOf is the throttle for a run that was given the key when it was scheduled, nil if it does not apply any more: the function has
// none now, or one with another key expression.
func (s *Settings) ThrottleOf(key *BucketKey) *Throttle {
	if key == nil || s.Throttle == nil || s.Throttle.Hash != key.Hash {
		return nil
	}
	return s.Throttle
}
