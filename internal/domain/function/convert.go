package function

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Limits of a registration (spec 01 §1, §4).
const (
	maxRetries        = 20
	idempotencyPeriod = "24h0m0s"
)

// Convert turns a declared function into one as it is stored, without identity: ID, AppID, Version and Config are left to
// the sync. When it returns complaints, the function must not be stored; their words and order are part of the app's
// error text (spec 01 §4.4, §4.6).
func (d Declared) Convert(checks Checks) (Function, []string) {
	f := Function{Name: d.Name, Slug: d.slug(), Triggers: storedTriggers(d.Triggers)}
	steps, err := d.steps()
	if err != nil {
		return Function{}, []string{err.Error()}
	}
	if len(steps) > 0 {
		f.Step = steps[0]
	}
	f.Settings, err = d.settings()
	if err != nil {
		return Function{}, []string{err.Error()}
	}
	return f, validate(d, f, steps, checks)
}

// slug is the declared ID, or for a function without one its name in lower case with dashes.
func (d Declared) slug() string {
	if d.ID != "" {
		return d.ID
	}
	var slug strings.Builder
	for _, letter := range strings.ToLower(d.Name) {
		if letter == '_' || unicode.IsLetter(letter) || unicode.IsDigit(letter) {
			slug.WriteRune(letter)
		} else if text := slug.String(); text != "" && !strings.HasSuffix(text, "-") {
			slug.WriteByte('-')
		}
	}
	return strings.TrimSuffix(slug.String(), "-")
}

func storedTriggers(declared []DeclaredTrigger) []Trigger {
	if declared == nil {
		return nil
	}
	triggers := make([]Trigger, 0, len(declared))
	for _, trigger := range declared {
		triggers = append(triggers, Trigger{
			Event: text(trigger.Event), Expression: text(trigger.Expression),
			Cron: text(trigger.Cron), Jitter: text(trigger.Jitter),
		})
	}
	return triggers
}

// text is the value of an optional text, empty for none.
func text(value *string) string {
	if value == nil {
		return ""
	}
	return *value
}

// steps converts the steps, in the order of their keys.
func (d Declared) steps() ([]Step, error) {
	steps := make([]Step, 0, len(d.Steps))
	for _, key := range slices.Sorted(maps.Keys(d.Steps)) {
		declared := d.Steps[key]
		uri, ok := declared.Runtime["url"].(string)
		if !ok {
			return nil, fmt.Errorf("No SDK URL provided for function '%s'", d.Name)
		}
		steps = append(steps, Step{ID: declared.ID, Name: declared.Name, URI: uri, Retries: d.retriesOf(declared)})
	}
	return steps, nil
}

// retriesOf is the step's own number of retries or else the function's, cut to the maximum. Negative numbers stay.
func (d Declared) retriesOf(step DeclaredStep) *int {
	retries := d.Retries
	if step.Retries != nil && step.Retries.Attempts != nil {
		retries = step.Retries.Attempts
	}
	if retries == nil {
		return nil
	}
	cut := min(*retries, maxRetries)
	return &cut
}

func (d Declared) settings() (Settings, error) {
	batch, err := d.batch()
	if err != nil {
		return Settings{}, err
	}
	settings := Settings{
		Priority: d.Priority, Timeouts: d.Timeouts, Debounce: d.Debounce, Checkpoint: d.Checkpoint, Batch: batch,
		RateLimit: d.RateLimit, Throttle: d.Throttle, Cancel: d.Cancel,
	}
	if d.Singleton != nil {
		settings.Singleton = &Singleton{Key: d.Singleton.Key, Mode: cmp.Or(d.Singleton.Mode, SingletonSkip)}
	}
	if !d.Concurrency.Empty() {
		settings.Concurrency = d.Concurrency
	}
	if d.Idempotency != nil {
		settings.RateLimit = &RateLimit{Limit: 1, Period: idempotencyPeriod, Key: *d.Idempotency}
	}
	return settings, nil
}

// batch reads the batch settings, nil for none. Their timeout must be a duration in Go's own syntax.
func (d Declared) batch() (*Batch, error) {
	if len(d.BatchEvents) == 0 {
		return nil, nil
	}
	var batch Batch
	if err := json.Unmarshal(mustMarshal(d.BatchEvents), &batch); err != nil {
		var mismatch *json.UnmarshalTypeError
		if errors.As(err, &mismatch) {
			err = fmt.Errorf("'%s' cannot be a %s", mismatch.Field, mismatch.Value)
		}
		return nil, fmt.Errorf("failed to decode batch config: %w", err)
	}
	if _, err := time.ParseDuration(batch.Timeout); err != nil {
		return nil, fmt.Errorf("failed to parse time duration: %w", err)
	}
	return &batch, nil
}
