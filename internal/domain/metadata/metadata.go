// Package metadata holds the rules for what apps and their users attach to runs and steps: which kinds there are, what an
// update may say, how much a run may have, and what all updates of a run add up to.
//
// Updates are kept as they came, in order, and added up when they are read: [Fold]. A target is a run, a step of it, one
// attempt of a step, or a span below an attempt.
//
// Source: spec 04 §7.2; spec 05 §8.9; spec 15 §8.8.
package metadata

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// Bounds of metadata. Spec 05 §8.9.
const (
	// MaxUpdateBytes bounds the values of one update, MaxRunBytes those of all updates of a run, superseded ones too.
	MaxUpdateBytes = 64 << 10
	MaxRunBytes    = 1 << 20
	// maxKindBytes bounds a kind, maxSpanBytes the name of a span.
	maxKindBytes = 128
	maxSpanBytes = 128
	// minUpdateBytes is what an update counts at least, so that one without values cannot be stored without end.
	minUpdateBytes = 64
)

// Why metadata is refused for its size. Nothing of it is stored then.
var (
	ErrUpdateTooLarge = errors.New("metadata span exceeds its maximum size")
	ErrRunFull        = errors.New("cumulative metadata size exceeds the limit")
)

// Op says what an update does to the values that are there.
type Op string

// The ops. Merge puts its values beside the others and replaces those of the same name; Set replaces all; Delete removes
// the names that it has; Add adds numbers.
const (
	Merge  Op = "merge"
	Set    Op = "set"
	Delete Op = "delete"
	Add    Op = "add"
)

// Scope says what kind of thing a target is.
type Scope string

// The scopes of targets.
const (
	ScopeRun           Scope = "run"
	ScopeStep          Scope = "step"
	ScopeExtendedTrace Scope = "extended_trace"
)

// FinalAttempt is the attempt of a step that ended it, whichever that is.
const FinalAttempt = -1

// Target is what metadata is attached to. Make it with OfRun, OfStep or OfSpan; targets are the same when they are equal.
type Target struct {
	// StepID is the hashed ID of the step; empty for the run.
	StepID string
	// Attempt counts from zero, or is FinalAttempt.
	Attempt int
	// SpanID is a span of the user's own below the attempt; empty for the step itself.
	SpanID string
}

// OfRun is the run itself.
func OfRun() Target { return Target{Attempt: FinalAttempt} }

// OfStep is a step, by its hashed ID, or one attempt of it.
func OfStep(id string, attempt int) Target {
	return Target{StepID: id, Attempt: max(attempt, FinalAttempt)}
}

// OfSpan is a span below an attempt of a step.
func OfSpan(step string, attempt int, span string) Target {
	return Target{StepID: step, Attempt: attempt, SpanID: span}
}

// Scope is the kind of the target.
func (t Target) Scope() Scope {
	switch {
	case t.StepID == "":
		return ScopeRun
	case t.SpanID == "":
		return ScopeStep
	}
	return ScopeExtendedTrace
}

// Values are named JSON values, as they were sent.
type Values map[string]json.RawMessage

// Update is a change of the metadata of one kind of one target.
type Update struct {
	Target Target
	// Kind tells apart what serves different ends, such as "userland.default" or "inngest.score".
	Kind   string
	Op     Op
	Values Values
}

// Stored is an update with the instant at which it was stored.
type Stored struct {
	Update
	At time.Time
}

// Size is the sum of the lengths of names and values, in bytes.
func (v Values) Size() int {
	size := 0
	for name, value := range v {
		size += len(name) + len(value)
	}
	return size
}

// Cost is what the update counts towards MaxRunBytes.
func (u Update) Cost() int { return max(u.Values.Size(), minUpdateBytes) }

// Admit tells what a run that has metadata of total bytes has after the updates, or why they are refused: an
// ErrUpdateTooLarge or an ErrRunFull.
func Admit(total int, updates []Update) (int, error) {
	for _, update := range updates {
		if update.Values.Size() > MaxUpdateBytes {
			return total, ErrUpdateTooLarge
		}
		total += update.Cost()
	}
	if len(updates) > 0 && total > MaxRunBytes {
		return total, ErrRunFull
	}
	return total, nil
}

// Fit returns those of the updates, in order, that a run that has metadata of total bytes has room for. It serves metadata
// that comes with a step, which must not fail the step.
func Fit(total int, updates []Update) []Update {
	var fitting []Update
	for _, update := range updates {
		next, err := Admit(total, []Update{update})
		if err == nil {
			fitting, total = append(fitting, update), next
		}
	}
	return fitting
}

// writable are the kinds of the server's own prefix that others may write. Spec 04 §7.2.
var writable = map[string]bool{
	"inngest.ai": true, "inngest.http": true, "inngest.http.timing": true, "inngest.response_headers": true,
	"inngest.warnings": true, "inngest.experiment": true, kindScore: true,
}

// checkKind says what is wrong with a kind, empty for nothing.
func checkKind(kind string) string {
	switch {
	case kind == "":
		return "is missing"
	case len(kind) > maxKindBytes:
		return "is longer than 128 bytes"
	case strings.HasPrefix(kind, "inngest.") && !writable[kind]:
		return "is not one that can be written"
	}
	return ""
}

// check says which part of the update is wrong, and how; both empty when nothing is.
func (u Update) check() (field, reason string) {
	if reason := checkKind(u.Kind); reason != "" {
		return "kind", reason
	}
	for name, value := range u.Values {
		switch {
		case u.Op == Delete:
		case u.Kind == kindScore:
			if reason := checkScore(name, value); reason != "" {
				return "values", reason
			}
		case u.Op == Add && !isNumber(value):
			return "values", "has something to add that is no number"
		}
	}
	return "", ""
}
