package function

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Settings is everything a function may ask for besides its triggers and its step. The JSON of each part, keys in the
// order of the fields, is the one in stored configs (spec 01 §4.9); registrations are read into the same types.
type Settings struct {
	// ConfigVersion is 1 for a durable endpoint, otherwise 0.
	ConfigVersion int
	Priority      *Priority
	Timeouts      *Timeouts
	Concurrency   *Concurrency
	Debounce      *Debounce
	Checkpoint    *Checkpoint
	Batch         *Batch
	RateLimit     *RateLimit
	Throttle      *Throttle
	Cancel        []Cancel
	Singleton     *Singleton
	// Driver is set for durable endpoints only.
	Driver *Driver
}

// Priority shifts a run in its function's queue by the seconds that the expression Run gives.
type Priority struct {
	Run *string `json:"run"`
}

// Timeouts end a run that has not started, or not finished, in time. Texts that are no durations count as absent.
type Timeouts struct {
	Start  string `json:"start,omitempty"`
	Finish string `json:"finish,omitempty"`
}

// Debounce delays a run until its event has been quiet for Period, at most for Timeout.
type Debounce struct {
	Key     string `json:"key,omitempty"`
	Period  string `json:"period"`
	Timeout string `json:"timeout,omitempty"`
}

// Checkpoint is how an SDK that runs several steps in one call reports them.
type Checkpoint struct {
	BatchSteps    int      `json:"batch_steps,omitempty"`
	BatchInterval Duration `json:"batch_interval,omitzero"`
	MaxRuntime    Duration `json:"max_runtime,omitzero"`
}

// Batch collects events for one run. Timeout has Go's syntax, without days and weeks.
type Batch struct {
	Key     string `json:"key,omitempty"`
	MaxSize int    `json:"maxSize"`
	Timeout string `json:"timeout"`
	If      string `json:"if,omitempty"`
}

// RateLimit drops events above Limit per Period and key.
type RateLimit struct {
	Limit  int    `json:"limit"`
	Period string `json:"period"`
	Key    string `json:"key,omitempty"`
}

// Throttle delays runs above Limit, at most Burst more at once, per Period and key.
type Throttle struct {
	Burst  int      `json:"burst"`
	Key    string   `json:"key,omitempty"`
	Limit  int      `json:"limit"`
	Period Duration `json:"period"`
}

// Cancel ends a run when an event arrives that matches If, within Timeout, which is a duration or an RFC 3339 time.
type Cancel struct {
	Event   string `json:"event"`
	Timeout string `json:"timeout,omitempty"`
	If      string `json:"if,omitempty"`
}

// Singleton allows one run at a time per key.
type Singleton struct {
	Key  string        `json:"key,omitempty"`
	Mode SingletonMode `json:"mode"`
}

// SingletonMode says what happens when a run is in progress: "skip" drops the new one, "cancel" ends the old one.
type SingletonMode string

// The modes. Skip is the default.
const (
	SingletonSkip   SingletonMode = "skip"
	SingletonCancel SingletonMode = "cancel"
)

// Driver overrides how a function is called.
type Driver struct {
	URI string `json:"uri"`
	// Metadata holds "type", "sync" for durable endpoints, and "method", the HTTP method.
	Metadata map[string]any `json:"metadata"`
}

// UnmarshalJSON reads a mode in any case; null and an empty text are the default.
func (m *SingletonMode) UnmarshalJSON(raw []byte) error {
	text, err := enumText(raw, "SingletonMode")
	if err != nil {
		return err
	}
	switch mode := SingletonMode(strings.ToLower(text)); mode {
	case "":
		*m = SingletonSkip
	case SingletonSkip, SingletonCancel:
		*m = mode
	default:
		return unknownEnum(text, "SingletonMode")
	}
	return nil
}

// MarshalJSON writes the mode, the default for none.
func (m SingletonMode) MarshalJSON() ([]byte, error) {
	if m == "" {
		m = SingletonSkip
	}
	return json.Marshal(string(m))
}

// UnmarshalJSON reads a throttle. It must have a period: without one it would let nothing start (spec 11 §1.3).
func (t *Throttle) UnmarshalJSON(raw []byte) error {
	type plain Throttle
	if err := json.Unmarshal(raw, (*plain)(t)); err != nil {
		return err
	}
	var spelled struct{ Period *string }
	if json.Unmarshal(raw, &spelled) == nil && (spelled.Period == nil || *spelled.Period == "") {
		return fmt.Errorf("time: invalid duration %q", "")
	}
	return nil
}

// enumText reads the text of an enum's value, empty for null.
func enumText(raw []byte, enum string) (string, error) {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", fmt.Errorf("%s should be a string, got %s", enum, raw)
	}
	return text, nil
}

func unknownEnum(text, enum string) error {
	return fmt.Errorf("%s does not belong to %s values", text, enum)
}
