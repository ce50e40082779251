package config_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/config"
)

// sample is how one served key looks in every source and what it does to the configuration.
type sample struct {
	key   string
	modes []config.Mode
	// file is a line of YAML, env the variable's value, flag what the command line gives; each a different value, where
	// the kind has enough of them.
	file, env string
	flag      any
	get       func(config.Config) any
	// wants, in the order default, file, env, flag.
	wants [4]any
}

var both = []config.Mode{config.Dev, config.Start}

var samples = []sample{
	{"host", both, "host: 10.0.0.1", "10.0.0.2", "10.0.0.3",
		func(c config.Config) any { return c.Host }, [4]any{"0.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3"}},
	{"port", both, "port: 9001", "9002", "9003",
		func(c config.Config) any { return c.Port }, [4]any{8288, 9001, 9002, 9003}},
	{"sdk-url", both, "sdk-url: [http://f/1, f2]", "http://e/1,e2", []string{"http://c/1", "c2"},
		func(c config.Config) any { return c.SDKURLs },
		[4]any{[]string(nil), []string{"http://f/1", "http://f2"}, []string{"http://e/1", "http://e2"}, []string{"http://c/1", "http://c2"}}},
	{"no-discovery", []config.Mode{config.Dev}, "no-discovery: true", "false", true,
		func(c config.Config) any { return c.Discovery }, [4]any{true, false, true, false}},
	{"no-poll", []config.Mode{config.Dev}, "no-poll: true", "false", true,
		func(c config.Config) any { return c.PollHealthy }, [4]any{true, false, true, false}},
	{"signing-key", []config.Mode{config.Start}, "signing-key: 'ff'", "ee", "dd",
		func(c config.Config) any { return c.SigningKey.Reveal() }, [4]any{nil, "ff", "ee", "dd"}},
	{"signing-key-fallback", []config.Mode{config.Start}, "signing-key-fallback: 'ff'", "signkey-prod-ee", "dd",
		func(c config.Config) any { return c.SigningKeyFallback.Reveal() }, [4]any{"", "ff", "ee", "dd"}},
	{"event-key", []config.Mode{config.Start}, "event-key: [f1, f2]", "e1,e2", []string{"c1"},
		func(c config.Config) any { return config.Reveal(c.EventKeys) },
		[4]any{nil, []string{"f1", "f2"}, []string{"e1", "e2"}, []string{"c1"}}},
	{"persist", []config.Mode{config.Dev}, "persist: true", "false", true,
		func(c config.Config) any { return c.Persist }, [4]any{false, true, false, true}},
	{"sqlite-dir", both, "sqlite-dir: f", "e", "c",
		func(c config.Config) any { return c.SQLiteDir }, [4]any{".inngest", "f", "e", "c"}},
	{"poll-interval", both, "poll-interval: 11", "12", 13,
		func(c config.Config) any { return c.PollInterval }, [4]any{5 * time.Second, 11 * time.Second, 12 * time.Second, 13 * time.Second}},
	{"retry-interval", both, "retry-interval: 21", "22", 23,
		func(c config.Config) any { return c.RetryInterval }, [4]any{time.Duration(0), 21 * time.Second, 22 * time.Second, 23 * time.Second}},
	{"queue-workers", both, "queue-workers: 31", "32", 33,
		func(c config.Config) any { return c.QueueWorkers }, [4]any{100, 31, 32, 33}},
	{"tick", both, "tick: 41", "42", 43,
		func(c config.Config) any { return c.Tick },
		[4]any{150 * time.Millisecond, 41 * time.Millisecond, 42 * time.Millisecond, 43 * time.Millisecond}},
	{"no-ui", []config.Mode{config.Start}, "no-ui: true", "false", true,
		func(c config.Config) any { return c.NoUI }, [4]any{false, true, false, true}},
	{"allow-private-gateway", []config.Mode{config.Start}, "allow-private-gateway: true", "false", true,
		func(c config.Config) any { return c.AllowPrivateGateway }, [4]any{false, true, false, true}},
}

func TestLoad_FlagBeatsEnvBeatsFileBeatsDefault(t *testing.T) {
	t.Parallel()
	for _, sample := range samples {
		for _, mode := range sample.modes {
			t.Run(sample.key+"/"+string(mode), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				// The required keys come from a flag where they are not what is tested.
				sources := config.Sources{Dir: dir, Flags: map[string]any{}}
				if mode == config.Start && sample.key != "signing-key" {
					sources.Flags["signing-key"] = "00"
				}
				if mode == config.Start && sample.key != "event-key" {
					sources.Flags["event-key"] = []string{"k"}
				}
				steps := []struct {
					name string
					set  func()
				}{
					{"default", func() {}},
					{"file", func() { write(t, filepath.Join(dir, "inngest.yaml"), sample.file) }},
					{"env", func() { sources.Environ = []string{envOf(t, sample.key) + "=" + sample.env} }},
					{"flag", func() { sources.Flags[sample.key] = sample.flag }},
				}
				for i, step := range steps {
					step.set()
					if sample.wants[i] == nil {
						continue // required: without it nothing loads, see TestLoad_StartValidation
					}
					got := sample.get(load(t, mode, sources))
					if diff := cmp.Diff(sample.wants[i], got); diff != "" {
						t.Errorf("%s (-want +got):\n%s", step.name, diff)
					}
				}
			})
		}
	}
}

// TestSamples_CoverEveryServedKey keeps the table above complete.
func TestSamples_CoverEveryServedKey(t *testing.T) {
	t.Parallel()
	sampled := map[string]bool{"config": true} // the file's own path, see file_test.go
	for _, sample := range samples {
		sampled[sample.key] = true
	}
	for _, key := range config.Keys() {
		if key.Support != config.Unserved && !sampled[key.Name] {
			t.Errorf("key %s has no sample", key.Name)
		}
	}
}

func envOf(t *testing.T, name string) string {
	t.Helper()
	for _, key := range config.Keys() {
		if key.Name == name {
			return key.Env()
		}
	}
	t.Fatalf("no key %s", name)
	return ""
}
