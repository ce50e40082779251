package function

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/ingothq/ingot/internal/domain/ids"
)

// Concurrency limits how much of a function runs at once: Step counts steps, Run counts whole runs.
//
// An app may send a number, one limit, a list of limits, or {"fn": […], "step": […]}; anything else is ignored. Stored is
// a list of step limits or, when there are run limits, the object (spec 01 §4.3).
type Concurrency struct {
	// Step is sorted by limit, smallest first.
	Step []StepLimit
	Run  []RunLimit
}

// StepLimit lets at most Limit steps of a scope and key run at once. Zero and negative limits are kept as sent.
type StepLimit struct {
	Limit int    `json:"limit"`
	Key   string `json:"key,omitempty"`
	Scope Scope  `json:"scope"`
	// Hash identifies the key expression: base-36 xxHash64 of its text, empty without a key.
	Hash string `json:"hash"`
}

// RunLimit lets at most Limit runs of a key be in progress. Scope is "fn", empty for the same, or "app", which only the
// server itself sets: the capacity of the workers of a connected app.
type RunLimit struct {
	Limit int    `json:"limit"`
	Scope string `json:"scope,omitempty"`
	Key   string `json:"key,omitempty"`
	ID    string `json:"id,omitempty"`
}

// Scopes of a RunLimit.
const (
	RunScopeFunction = "fn"
	RunScopeApp      = "app"
)

// Scope says across what a StepLimit counts.
type Scope string

// The scopes, as they are stored. ScopeFunction is the default.
const (
	ScopeFunction Scope = "Fn"
	ScopeEnv      Scope = "Env"
	ScopeAccount  Scope = "Account"
)

// UnmarshalJSON reads a scope in any case; null and an empty text are the default.
func (s *Scope) UnmarshalJSON(raw []byte) error {
	text, err := enumText(raw, "ConcurrencyScope")
	if err != nil {
		return err
	}
	for _, scope := range []Scope{ScopeFunction, ScopeEnv, ScopeAccount} {
		if text == "" || strings.EqualFold(text, string(scope)) {
			*s = scope
			return nil
		}
	}
	return unknownEnum(text, "ConcurrencyScope")
}

// MarshalJSON writes the scope, the default for none.
func (s Scope) MarshalJSON() ([]byte, error) {
	if s == "" {
		s = ScopeFunction
	}
	return json.Marshal(string(s))
}

// UnmarshalJSON reads any of the shapes.
func (c *Concurrency) UnmarshalJSON(raw []byte) error {
	*c = Concurrency{}
	switch raw[0] {
	case '[':
		if err := json.Unmarshal(raw, &c.Step); err != nil {
			return err
		}
	case '{':
		if err := c.readObject(raw); err != nil {
			return err
		}
	default:
		var limit int
		if json.Unmarshal(raw, &limit) == nil && string(raw) != "null" {
			c.Step = []StepLimit{{Limit: limit}}
		}
	}
	c.complete()
	return nil
}

func (c *Concurrency) readObject(raw []byte) error {
	var lists struct {
		Fn   []RunLimit
		Step []StepLimit
	}
	if err := json.Unmarshal(raw, &lists); err != nil {
		return err
	}
	if lists.Fn != nil || lists.Step != nil {
		c.Run, c.Step = lists.Fn, lists.Step
		return nil
	}
	c.Step = make([]StepLimit, 1)
	return json.Unmarshal(raw, &c.Step[0])
}

// complete fills in defaults and hashes and sorts, so that equal limits are stored as equal bytes.
func (c *Concurrency) complete() {
	for at := range c.Step {
		limit := &c.Step[at]
		if limit.Scope == "" {
			limit.Scope = ScopeFunction
		}
		if limit.Key != "" && limit.Hash == "" {
			limit.Hash = ids.X36(limit.Key)
		}
	}
	for at := range c.Run {
		limit := &c.Run[at]
		if limit.Key != "" && limit.ID == "" {
			limit.ID = ids.X36(limit.Key)
		}
	}
	slices.SortStableFunc(c.Step, func(left, right StepLimit) int { return cmp.Compare(left.Limit, right.Limit) })
}

// MarshalJSON writes the object when there are run limits, otherwise the list of step limits.
func (c Concurrency) MarshalJSON() ([]byte, error) {
	if len(c.Run) > 0 {
		return json.Marshal(struct {
			Fn   []RunLimit  `json:"fn,omitempty"`
			Step []StepLimit `json:"step,omitempty"`
		}{c.Run, c.Step})
	}
	return json.Marshal(c.Step)
}

// Empty says that nothing is limited; such settings are not stored.
func (c *Concurrency) Empty() bool {
	return c == nil || len(c.Step) == 0 && len(c.Run) == 0
}

// ofPlan is the limit that stands for that of an account's plan, which has none here.
const ofPlan = -1

// OfPlan says that the limit is that of the account's plan. Source: spec 05 §4.4.
func (l StepLimit) OfPlan() bool { return l.Limit == ofPlan }

// Shown are the limits of steps as clients are shown them, each with its scope. A function without any limits is shown as limited by its
// account's plan; one with limits of runs only has no entry. Source: spec 04 §11.6, spec 05 §4.4.
func (c *Concurrency) Shown() []StepLimit {
	if c == nil {
		return []StepLimit{{Limit: ofPlan, Scope: ScopeAccount}}
	}
	shown := slices.Clone(c.Step)
	for at := range shown {
		shown[at].Scope = cmp.Or(shown[at].Scope, ScopeFunction)
	}
	return shown
}
