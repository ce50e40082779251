package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/config"
)

func TestLoad_DefaultsOfModes(t *testing.T) {
	t.Parallel()
	t.Run("dev", func(t *testing.T) {
		t.Parallel()
		want := config.Config{
			Mode: config.Dev, Host: "0.0.0.0", Port: 8288, Discovery: true, PollHealthy: true, PollInterval: 5 * time.Second,
			QueueWorkers: 100, Tick: 150 * time.Millisecond, SQLiteDir: ".inngest", AllowPrivateGateway: true, Metadata: true,
		}
		got := load(t, config.Dev, config.Sources{})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if path := got.DatabasePath(); path != "" {
			t.Errorf("database %q, want none", path)
		}
	})
	t.Run("start", func(t *testing.T) {
		t.Parallel()
		want := config.Config{
			Mode: config.Start, Host: "0.0.0.0", Port: 8288, PollInterval: 5 * time.Second, QueueWorkers: 100,
			Tick: 150 * time.Millisecond, SigningKey: "0123abcd", EventKeys: []config.Secret{"key"}, Persist: true, SQLiteDir: ".inngest", Metadata: true,
		}
		got := load(t, config.Start, config.Sources{Environ: startEnv()})
		if got.SigningKey != want.SigningKey {
			t.Error("signing key differs")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if path := got.DatabasePath(); path != filepath.Join(".inngest", "main.db") {
			t.Errorf("database %q", path)
		}
	})
}

func TestLoad_ReadsTheModesOwnKeysOnly(t *testing.T) {
	t.Parallel()
	dev := load(t, config.Dev, config.Sources{Environ: startEnv("INNGEST_NO_UI=true", "INNGEST_REDIS_URI=redis://x")})
	if diff := cmp.Diff(config.Default(config.Dev), dev); diff != "" {
		t.Errorf("dev (-want +got):\n%s", diff)
	}
	start := load(t, config.Start, config.Sources{Environ: startEnv(
		"INNGEST_NO_POLL=false", "INNGEST_NO_DISCOVERY=false", "INNGEST_PERSIST=false", "INNGEST_DEBUG_API_PORT=1")})
	if start.Discovery || start.PollHealthy || !start.Persist {
		t.Errorf("start obeyed keys of dev: %v", start)
	}
}

func TestLoad_VariablesThatAreNoKeys(t *testing.T) {
	t.Parallel()
	file := write(t, filepath.Join(t.TempDir(), "inngest.yaml"), "PORT: 1\nfeature-flags: no\n")
	environ := startEnv("PORT=3000", "INNGEST_FEATURE_FLAGS=a=true,b=false", "INNGEST_CONFIG="+file)
	for _, mode := range []config.Mode{config.Dev, config.Start} {
		got := load(t, mode, config.Sources{Environ: environ})
		if got.DiscoveryPort != "3000" || got.FeatureFlags != "a=true,b=false" || got.Port != 8288 {
			t.Errorf("%s: discovery port %q, feature flags %q, port %d", mode, got.DiscoveryPort, got.FeatureFlags, got.Port)
		}
		if got = load(t, mode, config.Sources{Environ: startEnv("INNGEST_CONFIG=" + file)}); got.DiscoveryPort != "" || got.FeatureFlags != "" {
			t.Errorf("%s without them: discovery port %q, feature flags %q", mode, got.DiscoveryPort, got.FeatureFlags)
		}
	}
}

func TestLoad_StepMetadata(t *testing.T) {
	t.Parallel()
	for _, mode := range []config.Mode{config.Dev, config.Start} {
		for value, want := range map[string]bool{"": true, "true": true, "0": true, "false": false} {
			if got := load(t, mode, config.Sources{Environ: startEnv("EXPERIMENTAL_STEP_METADATA=" + value)}); got.Metadata != want {
				t.Errorf("%s with %q: metadata is %t", mode, value, got.Metadata)
			}
		}
		if !load(t, mode, config.Sources{Environ: startEnv()}).Metadata {
			t.Errorf("%s: no metadata", mode)
		}
	}
}

func TestLoad_TestMode(t *testing.T) {
	t.Parallel()
	for _, mode := range []config.Mode{config.Dev, config.Start} {
		for value, want := range map[string]bool{"": false, "true": true, "1": false, "TRUE": false} {
			if got := load(t, mode, config.Sources{Environ: startEnv("TEST_MODE=" + value)}); got.TestMode != want {
				t.Errorf("%s with %q: test mode is %t", mode, value, got.TestMode)
			}
		}
	}
}

func TestLoad_DispatchValidation(t *testing.T) {
	t.Parallel()
	for _, mode := range []config.Mode{config.Dev, config.Start} {
		for value, want := range map[string]bool{"": false, "1": false, "false": false, "true": true} {
			if got := load(t, mode, config.Sources{Environ: startEnv("EXPERIMENTAL_ASYNC_DISPATCH_VALIDATION=" + value)}); got.DispatchValidation != want {
				t.Errorf("%s with %q: dispatch validation is %t", mode, value, got.DispatchValidation)
			}
		}
	}
}

func TestLoad_PromMetrics(t *testing.T) {
	t.Parallel()
	for _, mode := range []config.Mode{config.Dev, config.Start} {
		for value, want := range map[string]bool{
			"": false, " ": false, "0": false, "false": false, "No": false, " FALSE ": false, "1": true, "true": true, "yes": true, "off": true,
		} {
			if got := load(t, mode, config.Sources{Environ: startEnv("INNGEST_EXPERIMENTAL_PROM_METRICS=" + value)}); got.PromMetrics != want {
				t.Errorf("%s with %q: counting is %t", mode, value, got.PromMetrics)
			}
		}
		if load(t, mode, config.Sources{Environ: startEnv()}).PromMetrics {
			t.Errorf("%s: counting is on", mode)
		}
	}
}

func TestLoad_EmptyVariables(t *testing.T) {
	t.Parallel()
	file := `
host: 10.0.0.1
port: 9000
sdk-url: [http://file]
persist: true
poll-interval: 7
queue-workers: 8
`
	var environ []string
	for _, key := range config.Keys() {
		if key.Name != "config" {
			environ = append(environ, key.Env()+"=")
		}
	}
	got := load(t, config.Dev, config.Sources{Environ: environ, Flags: map[string]any{
		"config": write(t, filepath.Join(t.TempDir(), "my.yaml"), file),
	}})
	want := config.Default(config.Dev)
	want.File = got.File
	// An empty string variable means the default, in the file's stead; the other kinds count as not set.
	want.SDKURLs = []string{"http://file"}
	want.Persist = true
	want.PollInterval = 7 * time.Second
	want.QueueWorkers = 8
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLoad_Bools(t *testing.T) {
	t.Parallel()
	spellings := map[bool][]string{
		true:  {"1", "t", "T", "true", "TRUE", "True"},
		false: {"0", "f", "F", "false", "FALSE", "False"},
	}
	for want, texts := range spellings {
		for _, text := range texts {
			if got := load(t, config.Dev, config.Sources{Environ: []string{"INNGEST_PERSIST=" + text}}); got.Persist != want {
				t.Errorf("persist %s is %v", text, got.Persist)
			}
		}
	}
}

func TestLoad_Lists(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"a":     {"a"},
		"a,b":   {"a", "b"},
		"a, b":  {"a", " b"}, // not trimmed
		"a,,b,": {"a", "b"},  // an empty key would be a key that anybody has
	} {
		got := load(t, config.Start, config.Sources{Environ: []string{"INNGEST_SIGNING_KEY=00", "INNGEST_EVENT_KEY=" + text}})
		if diff := cmp.Diff(want, config.Reveal(got.EventKeys)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestLoad_ConvertsWeakly(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file string
		get  func(config.Config) any
		want any
	}{
		"numeric string for an int":   {`{"queue-workers":"12"}`, func(c config.Config) any { return c.QueueWorkers }, 12},
		"leading zero is decimal":     {`{"queue-workers":"012"}`, func(c config.Config) any { return c.QueueWorkers }, 12},
		"int for a string":            {`{"host":7}`, func(c config.Config) any { return c.Host }, "7"},
		"port as a number":            {`{"port":9000}`, func(c config.Config) any { return c.Port }, 9000},
		"port as a string":            {`{"port":"9000"}`, func(c config.Config) any { return c.Port }, 9000},
		"string for a bool":           {`{"persist":"true"}`, func(c config.Config) any { return c.Persist }, true},
		"number for a bool":           {`{"persist":1}`, func(c config.Config) any { return c.Persist }, true},
		"null is not set":             {`{"queue-workers":null,"host":null,"sdk-url":null}`, func(c config.Config) any { return c.QueueWorkers }, 100},
		"empty string is not an int":  {`{"queue-workers":""}`, func(c config.Config) any { return c.QueueWorkers }, 100},
		"zero poll interval is 5":     {`{"poll-interval":0}`, func(c config.Config) any { return c.PollInterval }, 5 * time.Second},
		"zero tick is 150":            {`{"tick":0}`, func(c config.Config) any { return c.Tick }, 150 * time.Millisecond},
		"negative retry means none":   {`{"retry-interval":-3}`, func(c config.Config) any { return c.RetryInterval }, time.Duration(0)},
		"numbers in a list":           {`{"sdk-url":[1,2]}`, func(c config.Config) any { return c.SDKURLs }, []string{"http://1", "http://2"}},
		"scheme is kept":              {`{"sdk-url":["https://a"]}`, func(c config.Config) any { return c.SDKURLs }, []string{"https://a"}},
		"scalar for a list is empty":  {`{"sdk-url":"http://a"}`, func(c config.Config) any { return c.SDKURLs }, []string(nil)},
		"unknown keys are ignored":    {`{"prod":true,"api-port":1,"nested":{"port":1}}`, func(c config.Config) any { return c.Port }, 8288},
		"config in a file is ignored": {`{"config":"/does/not/exist"}`, func(c config.Config) any { return c.Port }, 8288},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := write(t, filepath.Join(t.TempDir(), "inngest.json"), test.file)
			got := test.get(load(t, config.Dev, config.Sources{Dir: filepath.Dir(path)}))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoad_RefusesWhatDoesNotConvert(t *testing.T) {
	t.Parallel()
	for name, sources := range map[string]config.Sources{
		"int in env":         {Environ: []string{"INNGEST_QUEUE_WORKERS=many"}},
		"bool in env":        {Environ: []string{"INNGEST_PERSIST=yes"}},
		"key of other mode":  {Environ: []string{"INNGEST_NO_UI=perhaps"}},
		"map for a string":   {Flags: map[string]any{"config": write(t, filepath.Join(t.TempDir(), "c.json"), `{"redis-uri":{"a":"s3cret"}}`)}},
		"list for an int":    {Flags: map[string]any{"config": write(t, filepath.Join(t.TempDir(), "c.yaml"), "tick: [1]")}},
		"nested list in one": {Flags: map[string]any{"config": write(t, filepath.Join(t.TempDir(), "c.yaml"), "sdk-url: [{a: s3cret}]")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load(config.Dev, sources, discard)
			if err == nil || !strings.HasPrefix(err.Error(), "error unmarshaling config: ") {
				t.Errorf("error %v", err)
			}
			if strings.Contains(fmt.Sprint(err), "s3cret") {
				t.Errorf("the error shows the value: %v", err)
			}
		})
	}
}

func TestLoad_TellsWhatItIgnores(t *testing.T) {
	t.Parallel()
	path := write(t, filepath.Join(t.TempDir(), "c.yaml"), "sdk-url: http://a\nsigning-key: 12345678\n")
	log, lines := recorder()
	_, err := config.Load(config.Dev, config.Sources{
		Flags:   map[string]any{"config": path, "tick": 5},
		Environ: []string{"INNGEST_EVENT_KEY=s3cret"},
	}, log)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`level=INFO msg="using config" file=` + path,
		`level=WARN msg="config value ignored, a list is needed" key=sdk-url`,
		`level=WARN msg="config value is read as a number, put it in quotes" key=signing-key`,
		`level=DEBUG msg="setting has no effect" key=signing-key origin="signing-key in ` + path + `" mode=dev`,
		`level=DEBUG msg="setting has no effect" key=event-key origin=INNGEST_EVENT_KEY mode=dev`,
		`level=DEBUG msg="setting has no effect" key=tick origin=--tick mode=dev`,
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(lines.String()), "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMode_Names(t *testing.T) {
	t.Parallel()
	if got := config.Dev.ServerKind() + " " + config.Dev.ServiceName(); got != "dev devserver" {
		t.Error(got)
	}
	if got := config.Start.ServerKind() + " " + config.Start.ServiceName(); got != "cloud inngest" {
		t.Error(got)
	}
}

// TestLoad_TakesTheExamplesOfTheDocumentation loads every config file shown in docs/configuration.md.
func TestLoad_TakesTheExamplesOfTheDocumentation(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```(yaml|json)\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 2 {
		t.Fatalf("%d examples", len(blocks))
	}
	modes := map[string]config.Mode{"yaml": config.Dev, "json": config.Start}
	for _, block := range blocks {
		path := write(t, filepath.Join(t.TempDir(), "inngest."+block[1]), block[2])
		cfg := load(t, modes[block[1]], config.Sources{Dir: filepath.Dir(path)})
		cfg.File = ""
		if cmp.Equal(cfg, config.Default(cfg.Mode)) {
			t.Errorf("no effect:\n%s", block[2])
		}
	}
}
