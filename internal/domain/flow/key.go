package flow

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/ids"
)

// key is a compiled key expression; nil where a function has none.
type key struct {
	text    string
	program *expr.Program
	err     error // why there is no program
}

// compileKey is nil for an empty text, which is no key.
func compileKey(text string) *key {
	if text == "" {
		return nil
	}
	program, err := expr.Compile(text)
	return &key{text: text, program: program, err: err}
}

// value evaluates the expression. What the event does not have is false.
func (k *key) value(s *expr.Subject) (any, error) {
	if k.err != nil {
		return nil, k.err
	}
	return k.program.Value(s)
}

// source is the expression as it was written, empty for none.
func (k *key) source() string {
	if k == nil {
		return ""
	}
	return k.text
}

// hash identifies the expression; what it counts is counted anew when it changes.
func (k *key) hash() string {
	if k == nil {
		return ""
	}
	return ids.X36(k.text)
}

// missing is the text of what an event does not have, and of what most settings make of a key that cannot be evaluated.
const missing = "false"

// textOr is the value's text, or the fallback with the error.
func (k *key) textOr(s *expr.Subject, fallback string) (string, error) {
	value, err := k.value(s)
	if err != nil {
		return fallback, err
	}
	return expr.Text(value), nil
}

// optionalHash is the base-36 hash of a value, empty for false: the setting does not apply to the event. Bytes are hashed as they are,
// everything else by its text.
func (k *key) optionalHash(s *expr.Subject) (string, error) {
	switch value, err := k.value(s); value := value.(type) {
	case bool:
		if !value {
			return "", nil
		}
		return ids.X36(expr.Text(value)), nil
	case []byte:
		return ids.X36(string(value)), nil
	default:
		if err != nil {
			return "", err
		}
		return ids.X36(expr.Text(value)), nil
	}
}

// maxKeyText is the length in bytes above which a key that is stored as its text is replaced by its hash.
const maxKeyText = 1024

// bounded keeps a text short: an event's data decides how long a key is, and keys are kept in memory and in names.
func bounded(text string) string {
	if len(text) <= maxKeyText {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// BucketKey names the state of a rate limit or throttle: of a function, for a key expression and a value.
type BucketKey struct {
	// Hash identifies the expression, Key the value. A rate limit without a key has no Hash; a throttle always has one.
	Hash, Key string
}

// State is the name of the stored TAT within its kind of limit: "f:<function>" or "f:<function><<hash>:<key>>", the outer brackets being
// literal (spec 11 §5.2, §7).
func (k BucketKey) State(fn uuid.UUID) string {
	if k.Hash == "" {
		return "f:" + fn.String()
	}
	return fmt.Sprintf("f:%s<%s:%s>", fn, k.Hash, k.Key)
}
