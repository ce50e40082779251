package main

import (
	"io"
	"log/slog"

	"github.com/lmittmann/tint"

	"github.com/ingothq/ingot/internal/config"
)

// devTimeFormat is the time of a line for people.
const devTimeFormat = "[15:04:05.000]"

// devLevels are the labels and ANSI colours of levels tint does not know.
var devLevels = map[slog.Level]struct {
	label  string
	colour uint8
}{
	config.LevelTrace:     {"TRC", 8},
	config.LevelNotice:    {"NTC", 14},
	config.LevelEmergency: {"EMR", 13},
}

// newLogger writes lines in the format and from the level asked for, coloured only where the stream is a terminal.
func newLogger(stream io.Writer, logging config.Log, terminal bool) *slog.Logger {
	options := &slog.HandlerOptions{Level: logging.Level, ReplaceAttr: nameLevel}
	switch logging.Format {
	case config.LogJSON:
		return slog.New(slog.NewJSONHandler(stream, options))
	case config.LogText:
		return slog.New(slog.NewTextHandler(stream, options))
	default:
		return slog.New(tint.NewTextHandler(stream, &tint.Options{
			Level:       logging.Level,
			TimeFormat:  devTimeFormat,
			NoColor:     !terminal,
			ReplaceAttr: labelLevel,
		}))
	}
}

// nameLevel gives levels the names of Spec 17 §4.
func nameLevel(groups []string, attr slog.Attr) slog.Attr {
	if level, isLevel := attr.Value.Any().(slog.Level); isLevel && len(groups) == 0 && attr.Key == slog.LevelKey {
		attr.Value = slog.StringValue(config.LevelName(level))
	}
	return attr
}

// labelLevel gives the levels that slog lacks their label.
func labelLevel(groups []string, attr slog.Attr) slog.Attr {
	level, isLevel := attr.Value.Any().(slog.Level)
	if !isLevel || len(groups) != 0 || attr.Key != slog.LevelKey {
		return attr
	}
	if known, found := devLevels[level]; found {
		return tint.Attr(known.colour, slog.String(slog.LevelKey, known.label))
	}
	return attr
}
