package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/urfave/cli/v3"

	"github.com/ingothq/ingot/internal/config"
)

// Names of the global flags (Spec 16 §1).
const (
	flagJSON     = "json"
	flagVerbose  = "verbose"
	flagLogLevel = "log-level"
)

// command is the tree of commands. A tree serves one run: the library keeps what it parsed in it.
func (m *Main) command() *cli.Command {
	return &cli.Command{
		Name:    "server",
		Usage:   "durable functions and event-driven workflows",
		Version: m.Version,
		Writer:  m.Stdout,
		// The library would print usage errors before returning them; Run prints every error, once.
		ErrWriter:      m.Stderr,
		OnUsageError:   usageError,
		ExitErrHandler: func(context.Context, *cli.Command, error) {},
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: flagJSON, Usage: "log as JSON"},
			&cli.BoolFlag{Name: flagVerbose, Usage: "log at level debug"},
			&cli.StringFlag{Name: flagLogLevel, Aliases: []string{"l"}, Value: "info", Usage: "trace, debug, info, warn or error"},
		},
		Action: func(_ context.Context, command *cli.Command) error {
			if name := command.Args().First(); name != "" {
				return fmt.Errorf("unknown command %q: try %s help", name, command.Name)
			}
			return cli.ShowRootCommandHelp(command)
		},
		Commands: []*cli.Command{
			m.serverCommand(config.Dev, "run the development server"),
			m.serverCommand(config.Start, "run the self-hosted server"),
			{
				Name:         "version",
				Usage:        "print the version",
				OnUsageError: usageError,
				Action: func(context.Context, *cli.Command) error {
					_, err := fmt.Fprintln(m.Stdout, m.Version)
					return err
				},
			},
			m.apiCommand(),
			unserved("alpha", ""),
		},
	}
}

// serverCommand is dev or start, with the flags of that mode.
func (m *Main) serverCommand(mode config.Mode, usage string) *cli.Command {
	command := &cli.Command{
		Name:         string(mode),
		Usage:        usage,
		OnUsageError: usageError,
		Action: func(ctx context.Context, command *cli.Command) error {
			return m.serve(ctx, mode, command)
		},
	}
	for _, key := range config.Keys() {
		if key.In(mode) != config.Absent {
			command.Flags = append(command.Flags, flag(key, key.In(mode) == config.Hidden))
		}
	}
	return command
}

// unserved stands for a command of the reference that this version lacks, so that using it gives a clear error. Without
// usage it is hidden.
func unserved(name, usage string) *cli.Command {
	return &cli.Command{
		Name:            name,
		Usage:           usage,
		Hidden:          usage == "",
		HideHelp:        true,
		SkipFlagParsing: true,
		Action: func(context.Context, *cli.Command) error {
			return fmt.Errorf("the command %q is not served by this version yet", name)
		},
	}
}

func usageError(_ context.Context, _ *cli.Command, err error, _ bool) error { return err }

// flag is the command-line form of a key. Its variable is named in help but read by the config package alone, which
// knows the order of sources.
func flag(key config.Key, hidden bool) cli.Flag {
	usage := key.Usage
	if key.Support == config.Unserved {
		usage += " (not in this version)"
	}
	usage += " [$" + key.Env() + "]"
	var aliases []string
	if key.Short != "" {
		aliases = []string{key.Short}
	}
	switch key.Kind {
	case config.Int:
		number, _ := strconv.Atoi(key.Default) // the key table's test holds that it is a number
		return &cli.IntFlag{Name: key.Name, Aliases: aliases, Value: number, Usage: usage, Hidden: hidden}
	case config.Bool:
		return &cli.BoolFlag{Name: key.Name, Aliases: aliases, Usage: usage, Hidden: hidden}
	case config.List:
		return &cli.StringSliceFlag{Name: key.Name, Aliases: aliases, Usage: usage, Hidden: hidden}
	default:
		return &cli.StringFlag{Name: key.Name, Aliases: aliases, Value: key.Default, Usage: usage, Hidden: hidden}
	}
}

// given collects the flags that were on the command line, by key name.
func given(command *cli.Command, mode config.Mode) map[string]any {
	values := map[string]any{}
	for _, key := range config.Keys() {
		if key.In(mode) == config.Absent || !command.IsSet(key.Name) {
			continue
		}
		switch key.Kind {
		case config.Int:
			values[key.Name] = command.Int(key.Name)
		case config.Bool:
			values[key.Name] = command.Bool(key.Name)
		case config.List:
			values[key.Name] = command.StringSlice(key.Name)
		default:
			values[key.Name] = command.String(key.Name)
		}
	}
	return values
}

// givenLevel is --log-level, empty when it was not on the command line.
func givenLevel(command *cli.Command) string {
	if !command.IsSet(flagLogLevel) {
		return ""
	}
	return command.String(flagLogLevel)
}
