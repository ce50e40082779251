package config_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/ingothq/ingot/internal/config"
)

// discard is a logger for tests that do not look at the log.
var discard = slog.New(slog.DiscardHandler)

// recorder is a logger whose lines, from debug on and without times, can be read back.
func recorder() (*slog.Logger, *bytes.Buffer) {
	var lines bytes.Buffer
	handler := slog.NewTextHandler(&lines, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
			if attr.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return attr
		},
	})
	return slog.New(handler), &lines
}

// write puts a file in place and returns its path.
func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// startEnv is the least that start needs, and what a test adds to it.
func startEnv(more ...string) []string {
	return append([]string{"INNGEST_SIGNING_KEY=0123abcd", "INNGEST_EVENT_KEY=key"}, more...)
}

// load fails the test on an error.
func load(t *testing.T, mode config.Mode, sources config.Sources) config.Config {
	t.Helper()
	cfg, err := config.Load(mode, sources, discard)
	if err != nil {
		t.Fatalf("Load(%s): %v", mode, err)
	}
	return cfg
}
