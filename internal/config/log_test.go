package config_test

import (
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/config"
)

func TestLoadLog(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		flags    config.LogFlags
		environ  []string
		terminal bool
		want     config.Log
	}{
		"defaults at a terminal":       {config.LogFlags{}, nil, true, config.Log{Level: slog.LevelInfo, Format: config.LogDev}},
		"json elsewhere":               {config.LogFlags{}, []string{"LOG_HANDLER=dev"}, false, config.Log{Level: slog.LevelInfo, Format: config.LogJSON}},
		"--json":                       {config.LogFlags{JSON: true}, []string{"LOG_HANDLER=dev"}, true, config.Log{Level: slog.LevelInfo, Format: config.LogJSON}},
		"handler json":                 {config.LogFlags{}, []string{"LOG_HANDLER=json"}, true, config.Log{Level: slog.LevelInfo, Format: config.LogJSON}},
		"handler txt":                  {config.LogFlags{}, []string{"LOG_HANDLER=txt"}, true, config.Log{Level: slog.LevelInfo, Format: config.LogText}},
		"handler text":                 {config.LogFlags{}, []string{"LOG_HANDLER=text"}, true, config.Log{Level: slog.LevelInfo, Format: config.LogText}},
		"unknown handler":              {config.LogFlags{}, []string{"LOG_HANDLER=xml"}, true, config.Log{Level: slog.LevelInfo, Format: config.LogDev}},
		"--verbose":                    {config.LogFlags{Verbose: true}, nil, true, config.Log{Level: slog.LevelDebug, Format: config.LogDev}},
		"--log-level beats --verbose":  {config.LogFlags{Verbose: true, Level: "error"}, nil, true, config.Log{Level: slog.LevelError, Format: config.LogDev}},
		"LOG_LEVEL beats --log-level":  {config.LogFlags{Verbose: true, Level: "error"}, []string{"LOG_LEVEL=trace"}, true, config.Log{Level: config.LevelTrace, Format: config.LogDev}},
		"unknown LOG_LEVEL wins, info": {config.LogFlags{Level: "error"}, []string{"LOG_LEVEL=loud"}, true, config.Log{Level: slog.LevelInfo, Format: config.LogDev}},
		"empty LOG_LEVEL is not set":   {config.LogFlags{Level: "error"}, []string{"LOG_LEVEL="}, true, config.Log{Level: slog.LevelError, Format: config.LogDev}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, config.LoadLog(test.flags, test.environ, test.terminal)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLevels(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"trace": "TRACE", "debug": "DEBUG", "info": "INFO", "warn": "WARN", "WARN": "WARN", "error": "ERROR",
		"emergency": "EMERGENCY", "notice": "INFO", "": "INFO",
	} {
		if got := config.LevelName(config.ParseLevel(text)); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	if got := config.LevelName(config.LevelNotice); got != "NOTICE" {
		t.Error(got)
	}
}
