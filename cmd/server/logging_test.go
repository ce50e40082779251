package main

import (
	"bytes"
	"log/slog"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/config"
)

var clock = regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)|\[\d\d:\d\d:\d\d\.\d{3}\]`)

func TestNewLogger(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		logging  config.Log
		terminal bool
		want     string
	}{
		"json": {config.Log{Level: config.LevelTrace, Format: config.LogJSON}, false,
			`{"time":"T","level":"TRACE","msg":"a"}
{"time":"T","level":"INFO","msg":"b","key":"x","group":{"level":"INFO"}}
{"time":"T","level":"NOTICE","msg":"c"}
{"time":"T","level":"EMERGENCY","msg":"d"}
`},
		"text from info on": {config.Log{Level: slog.LevelInfo, Format: config.LogText}, false,
			`time=T level=INFO msg=b key=x group.level=INFO
time=T level=NOTICE msg=c
time=T level=EMERGENCY msg=d
`},
		"dev without colours": {config.Log{Level: config.LevelTrace, Format: config.LogDev}, false,
			`T TRC a
T INF b key=x group.level=INFO
T NTC c
T EMR d
`},
		"dev with colours": {config.Log{Level: config.LevelNotice, Format: config.LogDev}, true,
			"\x1b[2mT\x1b[0m \x1b[96mNTC\x1b[0m c\n\x1b[2mT\x1b[0m \x1b[95mEMR\x1b[0m d\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			log := newLogger(&out, test.logging, test.terminal)
			log.Log(t.Context(), config.LevelTrace, "a")
			log.Info("b", "key", "x", slog.Group("group", "level", slog.LevelInfo))
			log.Log(t.Context(), config.LevelNotice, "c")
			log.Log(t.Context(), config.LevelEmergency, "d")
			got := clock.ReplaceAllString(out.String(), "T")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
