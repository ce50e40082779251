package main

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/ingothq/ingot/internal/config"
)

// arguments are those of a command line.
type arguments struct {
	// flags are the given flags of "server dev", as config.Sources wants them.
	flags     map[string]any
	clockPort int
}

// parse reads "dev" and its flags: those of the server's command by their long names, and --clock-port.
func parse(args []string, stderr io.Writer) (arguments, error) {
	if len(args) == 0 || args[0] != string(config.Dev) {
		return arguments{}, errors.New("usage: clockserver dev [flags of server dev] --clock-port <port>")
	}
	set := flag.NewFlagSet("clockserver dev", flag.ContinueOnError)
	set.SetOutput(stderr)
	given := arguments{flags: map[string]any{}}
	set.IntVar(&given.clockPort, "clock-port", 0, "loopback port to move the clock at; any by default")
	for _, key := range config.Keys() {
		if key.In(config.Dev) != config.Absent {
			define(set, key, given.flags)
		}
	}
	if err := set.Parse(args[1:]); err != nil {
		return arguments{}, err
	}
	if set.NArg() > 0 {
		return arguments{}, fmt.Errorf("unexpected argument %q", set.Arg(0))
	}
	return given, nil
}

// define declares the flag of a key. Its value is collected as text, which the configuration reads as it does variables.
func define(set *flag.FlagSet, key config.Key, values map[string]any) {
	switch key.Kind {
	case config.Bool:
		set.BoolFunc(key.Name, key.Usage, func(text string) error {
			values[key.Name] = text
			return nil
		})
	case config.List:
		set.Func(key.Name, key.Usage, func(text string) error {
			list, _ := values[key.Name].([]string)
			values[key.Name] = append(list, text)
			return nil
		})
	default:
		set.Func(key.Name, key.Usage, func(text string) error {
			values[key.Name] = text
			return nil
		})
	}
}
