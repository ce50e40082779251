package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ingothq/ingot/internal/config"
)

func TestRun_PrintsTheVersion(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.run(t, 0, "version")
	if got := w.stdout.String(); got != "dev-\n" {
		t.Errorf("stdout %q", got)
	}
	w = setup(t)
	w.Version = "1.2.3-abc"
	w.run(t, 0, "-v")
	if !strings.Contains(w.stdout.String(), "1.2.3-abc") {
		t.Errorf("stdout %q", &w.stdout)
	}
}

func TestRun_PrintsErrorsOnceOnStdout(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"unknown command":         {[]string{"serve"}, `unknown command "serve": try server help`},
		"alpha":                   {[]string{"alpha", "doctor", "--help"}, `the command "alpha" is not served by this version yet`},
		"unknown flag":            {[]string{"dev", "--wal"}, "flag provided but not defined: -wal"},
		"unknown global flag":     {[]string{"--wal"}, "flag provided but not defined: -wal"},
		"start's flag in dev":     {[]string{"dev", "--redis-uri", "x"}, "flag provided but not defined: -redis-uri"},
		"signing key in dev":      {[]string{"dev", "--signing-key", "x"}, "flag provided but not defined: -signing-key"},
		"event key in dev":        {[]string{"dev", "--event-key", "x"}, "flag provided but not defined: -event-key"},
		"no-ui in dev":            {[]string{"dev", "--no-ui"}, "flag provided but not defined: -no-ui"},
		"dev's flag in start":     {[]string{"start", "--no-discovery"}, "flag provided but not defined: -no-discovery"},
		"debug port in start":     {[]string{"start", "--debug-api-port", "1"}, "flag provided but not defined: -debug-api-port"},
		"flag of another type":    {[]string{"dev", "--tick", "soon"}, `invalid value "soon" for flag -tick: strconv.ParseInt: parsing "soon": invalid syntax`},
		"validation":              {[]string{"start"}, "Error: signing-key is required"},
		"refused flag":            {append([]string{"start", "--redis-uri", "redis://x"}, keys...), "redis-uri is set by --redis-uri, but this version does not serve external Redis yet: remove the setting"},
		"refused hidden flag":     {[]string{"dev", "--postgres-uri", "postgres://x"}, "postgres-uri is set by --postgres-uri, but this version does not serve PostgreSQL storage yet: remove the setting"},
		"explicit file not there": {[]string{"dev", "--config", "/does/not/exist.yaml"}, "error reading config file /does/not/exist.yaml: open /does/not/exist.yaml: no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			w.run(t, 1, test.args...)
			if diff := cmp.Diff(test.want+"\n", w.stdout.String()); diff != "" {
				t.Errorf("stdout (-want +got):\n%s", diff)
			}
			if w.stderr.Len() != 0 || w.served != nil {
				t.Errorf("served %v, stderr %s", w.served, &w.stderr)
			}
		})
	}
}

func TestRun_HelpShowsTheModesFlags(t *testing.T) {
	t.Parallel()
	for _, mode := range []config.Mode{config.Dev, config.Start} {
		for _, args := range [][]string{{string(mode), "--help"}, {"help", string(mode)}} {
			w := setup(t)
			w.run(t, 0, args...)
			help := w.stdout.String()
			for _, key := range config.Keys() {
				line := ""
				for candidate := range strings.Lines(help) {
					if strings.HasPrefix(strings.TrimSpace(candidate), "--"+key.Name+" ") {
						line = candidate
					}
				}
				if shown := line != ""; shown != (key.In(mode) == config.Shown) {
					t.Errorf("%v: %s shown: %v", args, key.Name, shown)
				}
				if line == "" {
					continue
				}
				if !strings.Contains(line, key.Usage) || !strings.Contains(line, "$"+key.Env()) || !strings.Contains(line, key.Default) {
					t.Errorf("%v: incomplete line %s", args, line)
				}
				if marked := strings.Contains(line, "not in this version"); marked != (key.Support == config.Unserved) {
					t.Errorf("%v: wrong mark in %s", args, line)
				}
			}
			for _, global := range []string{"--json", "--verbose", "--log-level string, -l string"} {
				if !strings.Contains(help, global) {
					t.Errorf("%v: no %s", args, global)
				}
			}
		}
	}
}

func TestRun_HelpShowsTheCommands(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"help"}, {"--help"}, {"-h"}} {
		w := setup(t)
		w.run(t, 0, args...)
		for _, command := range []string{"dev ", "start ", "version ", "api ", "help, h"} {
			if !strings.Contains(w.stdout.String(), "\n   "+command) {
				t.Errorf("%v: no %s in\n%s", args, command, &w.stdout)
			}
		}
		if strings.Contains(w.stdout.String(), "alpha") {
			t.Errorf("%v: alpha is not hidden", args)
		}
	}
}

func TestRun_PassesEveryServedFlag(t *testing.T) {
	t.Parallel()
	ignorePort := cmpopts.IgnoreFields(config.Config{}, "Port")
	t.Run("dev", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		w.run(t, 0, "dev", "--host", "localhost", "-p", "0", "-u", "a", "--sdk-url", "https://b", "--no-discovery", "--no-poll", "--persist",
			"--sqlite-dir", "data", "--poll-interval", "7", "--retry-interval", "3", "--queue-workers", "9", "--tick", "20")
		want := config.Config{
			Mode: config.Dev, Host: "localhost", SDKURLs: []string{"http://a", "https://b"}, PollInterval: 7 * time.Second,
			RetryInterval: 3 * time.Second, QueueWorkers: 9, Tick: 20 * time.Millisecond, Persist: true, SQLiteDir: "data", AllowPrivateGateway: true, Metadata: true,
		}
		if diff := cmp.Diff(want, *w.served, ignorePort); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("start", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		w.run(t, 0, append([]string{"start", "--no-ui", "--allow-private-gateway", "--persist", "--event-key", "a,b", "--sqlite-dir", "data", "--poll-interval", "0"}, keys...)...)
		want := config.Default(config.Start)
		want.Host = "127.0.0.1"
		want.SigningKey = "00ff"
		want.EventKeys = []config.Secret{"a", "b", "k"}
		want.NoUI, want.AllowPrivateGateway = true, true
		want.SQLiteDir = "data"
		if diff := cmp.Diff(want, *w.served, ignorePort); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"a", "b", "k"}, config.Reveal(w.served.EventKeys)); diff != "" || w.served.SigningKey != "00ff" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
	})
}

// TestRun_TakesEveryFlagOfTheReference gives each flag its default, which all versions accept.
func TestRun_TakesEveryFlagOfTheReference(t *testing.T) {
	t.Parallel()
	for _, mode := range []config.Mode{config.Dev, config.Start} {
		for _, key := range config.Keys() {
			if key.In(mode) == config.Absent || slices.Contains(keys, "--"+key.Name) || key.Name == "port" {
				continue
			}
			t.Run(fmt.Sprintf("%s/%s", mode, key.Name), func(t *testing.T) {
				t.Parallel()
				value := key.Default
				if key.Kind == config.Bool {
					value = "false"
				}
				args := []string{string(mode), "--" + key.Name + "=" + value}
				if mode == config.Start {
					args = append(args, keys...)
				}
				w := setup(t)
				w.run(t, 0, args...)
				if w.served == nil || len(w.served.SDKURLs) != 0 {
					t.Errorf("served with %v", w.served)
				}
			})
		}
	}
}

func TestRun_ReadsTheFileOfTheWorkingDirectory(t *testing.T) {
	t.Parallel()
	w := setup(t, "INNGEST_QUEUE_WORKERS=2")
	w.Dir = writeConfig(t, `{"queue-workers":1,"poll-interval":8,"retry-interval":4}`)
	w.run(t, 0, "dev", "--retry-interval", "6")
	if got := []any{w.served.QueueWorkers, w.served.PollInterval, w.served.RetryInterval}; !cmp.Equal(got, []any{2, 8 * time.Second, 6 * time.Second}) {
		t.Errorf("workers, poll and retry %v", got)
	}
	if !strings.Contains(w.stderr.String(), `"msg":"using config"`) {
		t.Errorf("stderr %s", &w.stderr)
	}
}
