package metadata

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ingothq/ingot/internal/domain/ids"
)

// InvalidError says what is wrong with a request. Target is true when the request cannot be read or names no target.
type InvalidError struct {
	// Field is the member at fault, such as "metadata[0].kind"; empty for the body as a whole.
	Field  string
	Reason string
	Target bool
}

func (e *InvalidError) Error() string { return strings.TrimSpace(e.Field + " " + e.Reason) }

// request is the body that an SDK sends. Spec 04 §7.2.
type request struct {
	Target struct {
		StepID      string  `json:"step_id"`
		StepIndex   *int    `json:"step_index"`
		StepAttempt *int    `json:"step_attempt"`
		SpanID      *string `json:"span_id"`
	} `json:"target"`
	Metadata []struct {
		Kind   string `json:"kind"`
		Op     Op     `json:"op"`
		Values Values `json:"values"`
	} `json:"metadata"`
}

// UnmarshalJSON reads an op by its name, whatever its case. One that is not there is a merge.
func (o *Op) UnmarshalJSON(raw []byte) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return err
	}
	switch op := Op(strings.ToLower(text)); op {
	case Merge, Set, Delete, Add:
		*o = op
		return nil
	}
	return fmt.Errorf("%s is not an op", text)
}

// Parse reads a request: {"target":{…},"metadata":[{"kind","op","values"}]}. Its errors are *InvalidError; sizes are
// for Admit to judge.
func Parse(body []byte) ([]Update, error) {
	var in request
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, &InvalidError{Reason: err.Error(), Target: true}
	}
	target, err := in.target()
	if err != nil {
		return nil, err
	}
	updates := make([]Update, len(in.Metadata))
	for i, each := range in.Metadata {
		update := Update{Target: target, Kind: each.Kind, Op: each.Op, Values: each.Values}
		if update.Op == "" {
			update.Op = Merge
		}
		if field, reason := update.check(); field != "" {
			return nil, &InvalidError{Field: fmt.Sprintf("metadata[%d].%s", i, field), Reason: reason}
		}
		updates[i] = update
	}
	return updates, nil
}

// target reads what the request is about. A span without an attempt is the step's.
func (in *request) target() (Target, error) {
	t := in.Target
	attempt := FinalAttempt
	if t.StepAttempt != nil {
		attempt = max(*t.StepAttempt, FinalAttempt)
	}
	switch {
	case t.StepID == "" && (t.StepIndex != nil || t.StepAttempt != nil || t.SpanID != nil):
		return Target{}, &InvalidError{Field: "target.step_id", Reason: "is missing", Target: true}
	case t.StepID == "":
		return OfRun(), nil
	case t.StepIndex != nil && *t.StepIndex < 0:
		return Target{}, &InvalidError{Field: "target.step_index", Reason: "is negative", Target: true}
	}
	step := t.StepID
	index := 0
	if t.StepIndex != nil {
		index = *t.StepIndex
	}
	step = ids.StepHash(step, index)
	if t.SpanID == nil || t.StepAttempt == nil || *t.SpanID == "" {
		return OfStep(step, attempt), nil
	}
	if len(*t.SpanID) > maxSpanBytes {
		return Target{}, &InvalidError{Field: "target.span_id", Reason: "is longer than 128 bytes", Target: true}
	}
	return OfSpan(step, attempt, *t.SpanID), nil
}

// OfOp reads the metadata that an app sends along with a step, whose hashed ID and attempt are given:
// [{"scope","kind","op","values"}]. What cannot be read or is not allowed is left out, because the step counts.
func OfOp(step string, attempt int, raw json.RawMessage) []Update {
	var list []json.RawMessage
	if len(raw) == 0 || json.Unmarshal(raw, &list) != nil {
		return nil
	}
	var updates []Update
	for _, element := range list {
		var each struct {
			Scope  string `json:"scope"`
			Kind   string `json:"kind"`
			Op     Op     `json:"op"`
			Values Values `json:"values"`
		}
		if json.Unmarshal(element, &each) != nil {
			continue
		}
		update := Update{Kind: each.Kind, Op: each.Op, Values: each.Values}
		if update.Op == "" {
			update.Op = Merge
		}
		switch each.Scope {
		case string(ScopeRun):
			update.Target = OfRun()
		case string(ScopeStep), "step_attempt": // the latter from older SDKs
			update.Target = OfStep(step, attempt)
		default:
			continue
		}
		if field, _ := update.check(); field == "" {
			updates = append(updates, update)
		}
	}
	return updates
}
