package config

import "strings"

// Kind is the type of a key's value.
type Kind int

// The kinds of keys. A list is a repeatable flag, a comma-separated variable and a list in a file.
const (
	String Kind = iota
	Int
	Bool
	List
)

// Presence says whether a mode has a key.
type Presence int

// A mode ignores variables and file keys it does not have, and rejects flags it does not have.
const (
	// Absent: the mode has no such key.
	Absent Presence = iota
	// Hidden: it works, but help does not show it.
	Hidden
	// Shown in help.
	Shown
)

// Support says what this version does with a key.
type Support int

// Degrees of support.
const (
	// Served: the key works.
	Served Support = iota
	// Inert: the key is accepted and has no effect.
	Inert
	// Unserved: a value other than the default is refused at start-up, because the feature does not exist yet.
	Unserved
)

// Key is one setting: the flag --<Name>, the variable [Key.Env] and the file key <Name>.
type Key struct {
	Name string
	// Short is the one-letter flag, empty for none.
	Short      string
	Kind       Kind
	Dev, Start Presence
	// Default is written as a flag would be; empty for none.
	Default string
	// Usage is the line of help.
	Usage   string
	Support Support
	// Feature names what an Unserved key belongs to.
	Feature string
}

// Env is the key's environment variable.
func (k Key) Env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(k.Name, "-", "_"))
}

// In is the presence of the key in a mode.
func (k Key) In(mode Mode) Presence {
	if mode == Dev {
		return k.Dev
	}
	return k.Start
}

// Names of keys that code refers to.
const (
	keyConfig              = "config"
	keyPort                = "port"
	keySDKURL              = "sdk-url"
	keySigningKey          = "signing-key"
	keySigningKeyFallback  = "signing-key-fallback"
	keyEventKey            = "event-key"
	keySystemTraceEndpoint = "system-trace-endpoint"
)

const (
	postgres    = "PostgreSQL storage"
	connect     = "Connect"
	debugAPI    = "the debug API"
	systemTrace = "system traces"
)

// keys in the order of help and documentation (Spec 16 §2).
var keys = []Key{
	{Name: keyConfig, Kind: String, Dev: Shown, Start: Shown, Usage: "path of a config file (JSON or YAML)"},
	{Name: "host", Kind: String, Dev: Shown, Start: Shown, Usage: "address to bind (default: 0.0.0.0)"},
	{Name: keyPort, Short: "p", Kind: String, Dev: Shown, Start: Shown, Default: "8288", Usage: "port for events, APIs and apps"},
	{Name: keySDKURL, Short: "u", Kind: List, Dev: Shown, Start: Shown, Usage: "serve URL of an app to sync, repeatable"},
	{Name: "no-discovery", Kind: Bool, Dev: Shown, Usage: "do not scan local ports for apps"},
	{Name: "no-poll", Kind: Bool, Dev: Shown, Usage: "do not poll apps that are in sync for changes"},
	{Name: keySigningKey, Kind: String, Start: Shown, Usage: "hex key that signs calls and authenticates clients, required"},
	{Name: keySigningKeyFallback, Kind: String, Start: Shown, Usage: "second hex key that clients may authenticate with, while keys are changed"},
	{Name: keyEventKey, Kind: List, Start: Shown, Usage: "key that clients send events with, repeatable, required"},
	{Name: "persist", Kind: Bool, Dev: Shown, Start: Hidden, Usage: "keep data on disk (start always does)"},
	{Name: "sqlite-dir", Kind: String, Dev: Hidden, Start: Shown, Default: defaultSQLiteDir, Usage: "directory of the database"},
	{Name: "poll-interval", Kind: Int, Dev: Shown, Start: Shown, Default: "5", Usage: "seconds between polls of apps"},
	{Name: "retry-interval", Kind: Int, Dev: Shown, Start: Shown, Default: "0", Usage: "seconds between a failed attempt and its retry; 0 for exponential backoff"},
	{Name: "queue-workers", Kind: Int, Dev: Shown, Start: Shown, Default: "100", Usage: "jobs in progress at once"},
	{Name: "tick", Kind: Int, Dev: Shown, Start: Shown, Default: "150", Support: Inert, Usage: "milliseconds; accepted, without effect"},
	{Name: "no-ui", Kind: Bool, Start: Shown, Usage: "no web UI and no GraphQL API"},
	{Name: "allow-private-gateway", Kind: Bool, Start: Shown, Usage: "let step.fetch and step.ai.infer reach private addresses (dev always does)"},

	{Name: "redis-uri", Kind: String, Start: Shown, Support: Unserved, Feature: "external Redis", Usage: "URI of an external Redis"},
	{Name: "postgres-uri", Kind: String, Dev: Hidden, Start: Shown, Support: Unserved, Feature: postgres, Usage: "URI of a PostgreSQL database"},
	{Name: "postgres-max-idle-conns", Kind: Int, Dev: Hidden, Start: Shown, Default: "10", Support: Unserved, Feature: postgres, Usage: "idle connections to keep"},
	{Name: "postgres-max-open-conns", Kind: Int, Dev: Hidden, Start: Shown, Default: "100", Support: Unserved, Feature: postgres, Usage: "connections to open at most, more than 1"},
	{Name: "postgres-conn-max-idle-time", Kind: Int, Dev: Hidden, Start: Shown, Default: "5", Support: Unserved, Feature: postgres, Usage: "minutes an idle connection is kept"},
	{Name: "postgres-conn-max-lifetime", Kind: Int, Dev: Hidden, Start: Shown, Default: "30", Support: Unserved, Feature: postgres, Usage: "minutes a connection is used"},
	{Name: "connect-gateway-port", Kind: Int, Dev: Shown, Start: Shown, Default: "8289", Support: Unserved, Feature: connect, Usage: "WebSocket port of the gateway"},
	{Name: "connect-gateway-grpc-port", Kind: Int, Dev: Shown, Start: Shown, Default: "50052", Support: Unserved, Feature: connect, Usage: "gRPC port of the gateway"},
	{Name: "connect-executor-grpc-port", Kind: Int, Dev: Shown, Start: Shown, Default: "50053", Support: Unserved, Feature: connect, Usage: "gRPC port of the executor"},
	{Name: "connect-gateway-grpc-ip", Kind: String, Dev: Shown, Start: Shown, Default: "127.0.0.1", Support: Unserved, Feature: connect, Usage: "address other instances reach the gateway at"},
	{Name: "connect-executor-grpc-ip", Kind: String, Dev: Shown, Start: Shown, Default: "127.0.0.1", Support: Unserved, Feature: connect, Usage: "address other instances reach the executor at"},
	{Name: "debug-api-port", Kind: Int, Dev: Hidden, Default: "7777", Support: Unserved, Feature: debugAPI, Usage: "gRPC port of the debug API"},
	{Name: keySystemTraceEndpoint, Kind: String, Dev: Hidden, Support: Unserved, Feature: systemTrace, Usage: "host and port of the collector"},
	{Name: "system-trace-url-path", Kind: String, Dev: Hidden, Default: "/dev/traces/system", Support: Unserved, Feature: systemTrace, Usage: "path at the collector"},
}

// Keys lists all keys of the server in the order of help. The slice is the caller's.
func Keys() []Key { return append([]Key(nil), keys...) }
