package config

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
)

const envPrefix = "INNGEST_"

// Variables that are no keys: they have neither flag nor file key.
const (
	envDiscoveryPort = "PORT"
	envFeatureFlags  = envPrefix + "FEATURE_FLAGS"
	envStepMetadata  = "EXPERIMENTAL_STEP_METADATA"
	envTestMode      = "TEST_MODE"

	envDispatchValidation = "EXPERIMENTAL_ASYNC_DISPATCH_VALIDATION"
	envPromMetrics        = envPrefix + "EXPERIMENTAL_PROM_METRICS"
)

// layers merges the sources of values, weakest first, and remembers where each value came from.
type layers struct {
	store *koanf.Koanf
	// origin is how a message names the source of a key: "--port", "INNGEST_PORT", "port in /etc/inngest.yaml".
	origin map[string]string
}

func newLayers() *layers {
	return &layers{store: koanf.New("."), origin: map[string]string{}}
}

// add puts a layer over those that are there. The values belong to known keys and are ready to be decoded.
func (l *layers) add(values map[string]any, origin func(Key) string) error {
	if err := l.store.Load(confmap.Provider(values, ""), nil); err != nil {
		return fmt.Errorf("error merging config: %w", err)
	}
	for _, key := range keys {
		if _, set := values[key.Name]; set {
			l.origin[key.Name] = origin(key)
		}
	}
	return nil
}

// fromFile picks the known keys of a config file. Absent values stay out; what a reader would not expect is warned of.
func fromFile(file map[string]any, log *slog.Logger) map[string]any {
	values := map[string]any{}
	for _, key := range keys {
		value, set := file[key.Name]
		if !set || value == nil || key.Name == keyConfig {
			continue
		}
		_, isString := value.(string)
		switch key.Kind {
		case Int, Bool:
			if value == "" {
				continue
			}
		case List:
			// The reference reads a single value here as an empty list.
			if isScalar(value) {
				log.Warn("config value ignored, a list is needed", "key", key.Name)
				continue
			}
		case String:
			// YAML reads an unquoted 0123 or 12e4 as a number, which is another key than the one written.
			if !isString && key.Name == keySigningKey {
				log.Warn("config value is read as a number, put it in quotes", "key", key.Name)
			}
		}
		values[key.Name] = decimal(key, value)
	}
	return values
}

func isScalar(value any) bool {
	switch value.(type) {
	case string, bool, int, int64, uint64, float64:
		return true
	}
	return false
}

// fromEnv picks the known keys of an environment in the form of os.Environ. An empty variable means the default for a
// string, as in the reference, and "not set" for every other kind: there the reference reads it as 0 or false.
func fromEnv(environ []string) map[string]any {
	values := map[string]any{}
	for _, key := range keys {
		value, set := lookupEnv(environ, key.Env())
		if !set || (value == "" && key.Kind != String) {
			continue
		}
		if key.Kind == List {
			values[key.Name] = strings.Split(value, ",")
			continue
		}
		values[key.Name] = decimal(key, value)
	}
	return values
}

// lookupEnv finds a variable in the form of os.Environ; the first entry of a name counts, as it does for the process.
func lookupEnv(environ []string, name string) (string, bool) {
	for _, entry := range environ {
		if value, found := strings.CutPrefix(entry, name+"="); found {
			return value, true
		}
	}
	return "", false
}

// decimal makes text of an integer key a number when it is a decimal one. The decoder would take 010 for octal.
func decimal(key Key, value any) any {
	text, isString := value.(string)
	if !isString || key.Kind != Int {
		return value
	}
	if number, err := strconv.Atoi(text); err == nil {
		return number
	}
	return value
}
