package config

import (
	"log/slog"
	"strings"
)

// Log levels besides those of slog (Spec 17 §4).
const (
	LevelTrace     = slog.Level(-8)
	LevelNotice    = slog.Level(2)
	LevelEmergency = slog.Level(12)
)

// LogFormat is how log lines are written.
type LogFormat string

// The formats of Spec 17 §4.
const (
	// LogJSON: one JSON object a line.
	LogJSON LogFormat = "json"
	// LogText: key=value pairs.
	LogText LogFormat = "text"
	// LogDev: coloured lines for people.
	LogDev LogFormat = "dev"
)

// Log is how the process logs.
type Log struct {
	// Level is the lowest level written. Default info.
	Level  slog.Level
	Format LogFormat
}

// LogFlags are the global flags that concern logging.
type LogFlags struct {
	// JSON is --json.
	JSON bool
	// Verbose is --verbose.
	Verbose bool
	// Level is --log-level; empty when it was not given.
	Level string
}

// LoadLog decides how to log: LOG_LEVEL, then --log-level, then --verbose give the level; JSON is forced where stdout is
// no terminal and by --json, otherwise LOG_HANDLER gives the format (Spec 16 §1, 17 §4).
func LoadLog(flags LogFlags, environ []string, terminal bool) Log {
	log := Log{Level: slog.LevelInfo, Format: LogDev}
	if level, _ := lookupEnv(environ, "LOG_LEVEL"); level != "" {
		log.Level = ParseLevel(level)
	} else if flags.Level != "" {
		log.Level = ParseLevel(flags.Level)
	} else if flags.Verbose {
		log.Level = slog.LevelDebug
	}

	handler, _ := lookupEnv(environ, "LOG_HANDLER")
	switch {
	case !terminal || flags.JSON || handler == "json":
		log.Format = LogJSON
	case handler == "txt" || handler == "text":
		log.Format = LogText
	}
	return log
}

// ParseLevel reads a level name in any case; unknown names are info.
func ParseLevel(name string) slog.Level {
	switch strings.ToLower(name) {
	case "trace":
		return LevelTrace
	case "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	case "emergency":
		return LevelEmergency
	default:
		return slog.LevelInfo
	}
}

// LevelName is the name of a level in a JSON line, such as TRACE. A level between the named ones has slog's form.
func LevelName(level slog.Level) string {
	switch level {
	case LevelTrace:
		return "TRACE"
	case LevelNotice:
		return "NOTICE"
	case LevelEmergency:
		return "EMERGENCY"
	default:
		return level.String()
	}
}
