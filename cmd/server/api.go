package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/ingothq/ingot/client"
	"github.com/ingothq/ingot/internal/config"
)

// Names of the flags that all operations of the API have, and of variables that stand for them (Spec 16 §10).
const (
	flagProd       = "prod"
	flagConfig     = "config"
	flagAPIHost    = "api-host"
	flagAPIPort    = "api-port"
	flagAPIKey     = "api-key"
	flagSigningKey = "signing-key"
	flagEnv        = "env"
	flagTimeout    = "timeout"
	flagRaw        = "raw"
	flagBody       = "body"
	flagBodyFile   = "body-file"

	// prodURL is where the vendor's cloud has the API.
	prodURL        = "https://api.inngest.com/v2"
	defaultAPIHost = "localhost"
	defaultAPIPort = "8288"
)

// apiVariables are the variables that stand for flags.
var apiVariables = map[string]string{
	flagAPIHost: "INNGEST_API_HOST", flagAPIPort: "INNGEST_API_PORT", flagAPIKey: "INNGEST_API_KEY", flagSigningKey: "INNGEST_SIGNING_KEY",
	flagEnv: "INNGEST_ENV",
}

// apiCommand calls a server. It has one command for each operation of the API.
func (m *Main) apiCommand() *cli.Command {
	text := func(name, usage string) cli.Flag {
		if variable := apiVariables[name]; variable != "" {
			usage += " [$" + variable + "]"
		}
		return &cli.StringFlag{Name: name, Usage: usage}
	}
	command := &cli.Command{
		Name: "api", Usage: "call the API of a server", OnUsageError: usageError,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: flagProd, Usage: "call " + prodURL + " instead of a server of your own"},
			text(flagAPIHost, "host of the server, or its URL (default: "+defaultAPIHost+")"),
			text(flagAPIPort, "port of the server (default: "+defaultAPIPort+")"),
			&cli.StringFlag{Name: flagConfig, Usage: "config file that says api-host and api-port (JSON or YAML) [$INNGEST_CONFIG]"},
			text(flagAPIKey, "API key, instead of a signing key"),
			text(flagSigningKey, "signing key; its hash is sent"),
			text(flagEnv, "environment that the call is about"),
			&cli.DurationFlag{Name: flagTimeout, Usage: "how long to wait for the answer", Value: 30 * time.Second},
			&cli.BoolFlag{Name: flagRaw, Usage: "print the answer as it came"},
		},
		Action: func(_ context.Context, command *cli.Command) error {
			if name := command.Args().First(); name != "" {
				return fmt.Errorf("unknown operation %q: try server api help", name)
			}
			return cli.ShowSubcommandHelp(command)
		},
	}
	for _, op := range client.Operations() {
		command.Commands = append(command.Commands, m.operationCommand(op))
	}
	return command
}

func (m *Main) operationCommand(op client.Operation) *cli.Command {
	command := &cli.Command{
		Name: op.Command, Usage: op.Method + " " + op.Path, OnUsageError: usageError,
		Action: func(ctx context.Context, command *cli.Command) error { return m.call(ctx, op, command) },
	}
	for _, field := range op.Fields {
		command.Flags = append(command.Flags, fieldFlag(field))
	}
	if op.Method != http.MethodGet {
		command.Flags = append(command.Flags,
			&cli.StringFlag{Name: flagBody, Usage: "JSON body; the other flags replace its members"},
			&cli.StringFlag{Name: flagBodyFile, Usage: "file with the body, - for standard input"})
	}
	return command
}

func fieldFlag(field client.Field) cli.Flag {
	switch {
	case field.Kind == client.JSON:
		return &cli.StringFlag{Name: field.Flag, Usage: "JSON"}
	case field.Repeated:
		return &cli.StringSliceFlag{Name: field.Flag, Usage: "may be repeated"}
	case field.Kind == client.Bool:
		return &cli.BoolFlag{Name: field.Flag}
	case field.Kind == client.Number:
		return &cli.Int64Flag{Name: field.Flag}
	default:
		return &cli.StringFlag{Name: field.Flag}
	}
}

// call calls an operation and prints the answer. One that is an error makes the command fail.
func (m *Main) call(ctx context.Context, op client.Operation, command *cli.Command) error {
	fields, err := fieldsOf(op, command)
	if err != nil {
		return err
	}
	body, err := m.body(op, command)
	if err != nil {
		return err
	}
	target, err := m.target(command)
	if err != nil {
		return err
	}
	c, err := client.New(target, m.credential(command), client.WithEnv(m.setting(command, flagEnv)))
	if err != nil {
		return err
	}
	ctx, stop := m.untilSignal(ctx, slog.New(slog.DiscardHandler))
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, command.Duration(flagTimeout))
	defer cancel()
	answer, err := c.REST(ctx, op, fields, body)
	if err != nil {
		if errors.Is(err, syscall.ECONNREFUSED) && strings.HasPrefix(target, "http://"+defaultAPIHost) {
			err = fmt.Errorf("%w\nNo server is there. Start one: server dev", err)
		}
		return err
	}
	if _, err := m.Stdout.Write(printed(answer.Body, command.Bool(flagRaw))); err != nil {
		return err
	}
	if answer.Status >= http.StatusBadRequest {
		return fmt.Errorf("%s: the server answered %d", op.Command, answer.Status)
	}
	return nil
}

// printed is an answer for people, or as it came.
func printed(body []byte, raw bool) []byte {
	var pretty bytes.Buffer
	if raw || json.Indent(&pretty, body, "", "  ") != nil {
		return body
	}
	return append(pretty.Bytes(), '\n')
}

// fieldsOf are the fields that were given.
func fieldsOf(op client.Operation, command *cli.Command) (map[string]any, error) {
	fields := map[string]any{}
	for _, field := range op.Fields {
		if !command.IsSet(field.Flag) {
			continue
		}
		switch {
		case field.Kind == client.JSON:
			text := command.String(field.Flag)
			if !json.Valid([]byte(text)) {
				return nil, fmt.Errorf("--%s is not JSON: %s", field.Flag, text)
			}
			fields[field.Name] = json.RawMessage(text)
		case field.Repeated:
			fields[field.Name] = command.StringSlice(field.Flag)
		case field.Kind == client.Bool:
			fields[field.Name] = command.Bool(field.Flag)
		case field.Kind == client.Number:
			fields[field.Name] = command.Int64(field.Flag)
		default:
			fields[field.Name] = command.String(field.Flag)
		}
	}
	return fields, nil
}

// maxBodyFile bounds a body; servers take less.
const maxBodyFile = 64 << 20

// body is the body that was given; nil for none.
func (m *Main) body(op client.Operation, command *cli.Command) (json.RawMessage, error) {
	if op.Method == http.MethodGet {
		return nil, nil
	}
	body, name := []byte(command.String(flagBody)), command.String(flagBodyFile)
	switch {
	case name != "" && len(body) > 0:
		return nil, fmt.Errorf("--%s and --%s exclude each other", flagBody, flagBodyFile)
	case name != "":
		in := m.Stdin
		if name != "-" {
			file, err := os.Open(name)
			if err != nil {
				return nil, err
			}
			defer file.Close()
			in = file
		}
		var err error
		if body, err = io.ReadAll(io.LimitReader(in, maxBodyFile)); err != nil {
			return nil, fmt.Errorf("read the body: %w", err)
		}
	}
	if len(body) > 0 && !json.Valid(body) {
		return nil, errors.New("the body is not JSON")
	}
	return body, nil
}

// target is the URL to call. Its host and its port are each what a flag says, else a variable, else the config file. A host that is a URL is
// not given a port of the file's.
func (m *Main) target(command *cli.Command) (string, error) {
	host, port := m.setting(command, flagAPIHost), m.setting(command, flagAPIPort)
	if host == "" && port == "" && command.Bool(flagProd) {
		return prodURL, nil
	}
	fileHost, filePort, err := m.configured(command)
	if err != nil {
		return "", err
	}
	if !strings.Contains(host, "://") {
		host, port = cmp.Or(host, fileHost), cmp.Or(port, filePort)
	}
	if strings.Contains(host, "://") {
		if port != "" {
			host = strings.TrimRight(host, "/") + ":" + port
		}
		return host, nil
	}
	if host == "" {
		host = defaultAPIHost
	}
	if port == "" {
		port = defaultAPIPort
	}
	return "http://" + host + ":" + port, nil
}

// configured is where the config file says that the API is.
func (m *Main) configured(command *cli.Command) (host, port string, err error) {
	sources := config.Sources{Environ: m.Environ, Dir: m.Dir, Home: m.Home}
	if command.IsSet(flagConfig) {
		sources.Flags = map[string]any{flagConfig: command.String(flagConfig)}
	}
	log := newLogger(m.Stderr, config.Log{Level: slog.LevelWarn}, m.StderrTTY)
	return config.LoadAPI(sources, log)
}

// credential is the key to call with.
func (m *Main) credential(command *cli.Command) string {
	if key := m.setting(command, flagAPIKey); key != "" {
		return key
	}
	return m.setting(command, flagSigningKey)
}

// setting is a flag, or the variable that stands for it.
func (m *Main) setting(command *cli.Command, name string) string {
	if command.IsSet(name) {
		return command.String(name)
	}
	for _, entry := range m.Environ {
		if value, ok := strings.CutPrefix(entry, apiVariables[name]+"="); ok {
			return value
		}
	}
	return ""
}
