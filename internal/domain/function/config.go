package function

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
)

// storedConfig is the JSON of a function in the database: the fields are its keys, in their order (spec 01 §4.9).
type storedConfig struct {
	ConfigVersion int          `json:"cv,omitempty"`
	ID            uuid.UUID    `json:"id"`
	Version       int          `json:"fv"`
	Name          string       `json:"name"`
	Slug          string       `json:"slug"`
	Priority      *Priority    `json:"priority,omitempty"`
	Timeouts      *Timeouts    `json:"timeouts,omitempty"`
	Concurrency   *Concurrency `json:"concurrency,omitempty"`
	Debounce      *Debounce    `json:"debounce,omitempty"`
	Checkpoint    *Checkpoint  `json:"checkpoint,omitempty"`
	Triggers      []Trigger    `json:"triggers"`
	Batch         *Batch       `json:"batchEvents,omitempty"`
	RateLimit     *RateLimit   `json:"rateLimit,omitempty"`
	Throttle      *Throttle    `json:"throttle,omitempty"`
	Cancel        []Cancel     `json:"cancel,omitempty"`
	Singleton     *Singleton   `json:"singleton,omitempty"`
	Steps         []storedStep `json:"steps,omitempty"`
	Driver        *Driver      `json:"driver,omitempty"`
}

type storedStep struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	URI     string `json:"uri"`
	Retries *int   `json:"retries,omitempty"`
}

// Encode writes the stored configuration of a function from its fields, Config and AppID excepted: compact, with "&", "<"
// and ">" escaped. Equal functions give equal bytes, and ParseConfig reads them back (spec 01 §4.9, spec 15 §5.4).
func Encode(f Function) json.RawMessage {
	settings := f.Settings
	config := storedConfig{
		ConfigVersion: settings.ConfigVersion, ID: f.ID, Version: f.Version, Name: f.Name, Slug: f.Slug,
		Priority: settings.Priority, Timeouts: settings.Timeouts, Debounce: settings.Debounce,
		Checkpoint: settings.Checkpoint, Triggers: f.Triggers, Batch: settings.Batch, RateLimit: settings.RateLimit,
		Throttle: settings.Throttle, Cancel: settings.Cancel, Singleton: settings.Singleton, Driver: settings.Driver,
	}
	if !settings.Concurrency.Empty() {
		config.Concurrency = settings.Concurrency
	}
	if f.Step != (Step{}) {
		config.Steps = []storedStep{storedStep(f.Step)}
	}
	return mustMarshal(config)
}

// ParseConfig reads a stored configuration, also one that the reference wrote. Config of the result is a copy of it;
// AppID is not part of it and stays zero. Of several steps, which only very old servers stored, the first counts. The
// error says what is wrong with the JSON.
func ParseConfig(config []byte) (Function, error) {
	var stored storedConfig
	if err := json.Unmarshal(config, &stored); err != nil {
		return Function{}, fmt.Errorf("parse function config: %w", err)
	}
	f := Function{
		ID: stored.ID, Version: stored.Version, Name: stored.Name, Slug: stored.Slug, Triggers: stored.Triggers,
		Settings: Settings{
			ConfigVersion: stored.ConfigVersion, Priority: stored.Priority, Timeouts: stored.Timeouts,
			Concurrency: stored.Concurrency, Debounce: stored.Debounce, Checkpoint: stored.Checkpoint, Batch: stored.Batch,
			RateLimit: stored.RateLimit, Throttle: stored.Throttle, Cancel: stored.Cancel, Singleton: stored.Singleton,
			Driver: stored.Driver,
		},
		Config: append(json.RawMessage(nil), config...),
	}
	if len(stored.Steps) > 0 {
		f.Step = Step(stored.Steps[0])
	}
	return f, nil
}
