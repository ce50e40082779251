// Package config turns flags, INNGEST_* variables and a config file into the plain struct the server is built from.
//
// It is the only reader of the environment, which it gets as an argument, so that a whole start-up can be tested without
// touching the process. [Keys] lists every key once; flags, variables, file keys and the documentation follow from it.
//
// A key's value is the first of: an explicit flag, its variable, the config file, the default (Spec 16 §3).
package config

import (
	"path/filepath"
	"time"
)

// Mode is the command that runs the server.
type Mode string

// The two modes (Spec 16 §2).
const (
	// Dev is open to everybody, keeps its data in memory unless told otherwise, and finds apps by itself.
	Dev Mode = "dev"
	// Start is the self-hosted server: keys are required and data is always kept on disk.
	Start Mode = "start"
)

// ServerKind is the value of the X-Inngest-Server-Kind header: "dev" or "cloud".
func (m Mode) ServerKind() string {
	if m == Dev {
		return "dev"
	}
	return "cloud"
}

// ServiceName is the name log lines carry as caller: "devserver" or "inngest".
func (m Mode) ServiceName() string {
	if m == Dev {
		return "devserver"
	}
	return "inngest"
}

// Values that stand in for an absent or zero setting.
const (
	defaultHost         = "0.0.0.0"
	defaultPort         = 8288
	defaultSQLiteDir    = ".inngest"
	defaultPollInterval = 5 * time.Second
	defaultQueueWorkers = 100
	defaultTick         = 150 * time.Millisecond
	databaseName        = "main.db"
)

// Config is what one server process runs with. [Load] returns it complete and valid; [Default] is the base for tests.
// It can be logged and printed: secrets are [Secret] values.
type Config struct {
	Mode Mode
	// File is the path of the config file that was read; empty for none.
	File string

	// Host is the address the HTTP server binds: an IP address or a name. Default 0.0.0.0, never empty.
	Host string
	// Port is the TCP port of the HTTP server, 0 to 65535; 0 takes any free one. Default 8288. The command replaces it
	// with the port it really bound before it runs the server.
	Port int

	// SDKURLs are the serve endpoints of apps to sync, with a scheme, in the order given. Default none.
	SDKURLs []string
	// Discovery scans local ports for apps until one is known. Default true in Dev; always false in Start.
	Discovery bool
	// PollHealthy re-syncs all apps every PollInterval; otherwise only those in error. Default true in Dev; always false
	// in Start.
	PollHealthy bool
	// PollInterval is the pause between two rounds of re-syncing and of discovery, in whole seconds. Default 5 s; at least 1 s.
	PollInterval time.Duration

	// RetryInterval, when positive, is the pause before each retry, the same for all, in whole seconds. Zero, the default,
	// takes the standard backoff table. (Spec 02 §10.)
	RetryInterval time.Duration
	// QueueWorkers bounds the jobs in progress at once. Default 100; at least 1.
	QueueWorkers int
	// Tick is accepted for compatibility and has no effect: nothing polls the queue. In milliseconds. Default 150 ms.
	Tick time.Duration

	// SigningKey is the hex key, without a signkey-…- prefix; valid hex and not empty in Start, empty in Dev. Use
	// [sdk.NormalizeKey] on keys it is compared with.
	SigningKey Secret
	// SigningKeyFallback is a second key that clients may authenticate with; nothing is signed with it. Valid hex or empty, which
	// is the default; always empty in Dev.
	SigningKeyFallback Secret
	// EventKeys are the accepted event keys, none of them empty; at least one in Start, none in Dev, where every key is
	// accepted.
	EventKeys []Secret

	// Persist keeps data in SQLiteDir; otherwise it lives in memory and ends with the process. Default false in Dev;
	// always true in Start.
	Persist bool
	// SQLiteDir is the directory of the database, relative to the working directory or absolute. Default .inngest.
	SQLiteDir string

	// NoUI turns the dashboard and the GraphQL API off. Default false; always false in Dev.
	NoUI bool

	// AllowPrivateGateway lets the requests that the server makes for steps reach loopback, private and link-local addresses.
	// Default false in Start, where an app could otherwise read what only this machine may; always true in Dev.
	AllowPrivateGateway bool

	// DiscoveryPort is one more local port to look for apps on: the text of $PORT, which frameworks set for an app, as it is.
	// Empty for none.
	DiscoveryPort string
	// FeatureFlags are flags of the dashboard that GET /dev reports, "a=true,b=false": the text of INNGEST_FEATURE_FLAGS.
	FeatureFlags string
	// Metadata keeps what is attached to runs and steps. Default true; false when $EXPERIMENTAL_STEP_METADATA is "false".
	Metadata bool
	// TestMode serves the API below /test. Default false; true when $TEST_MODE is "true".
	TestMode bool
	// DispatchValidation refuses checkpoints of calls that were made again meanwhile. Default false; true when
	// $EXPERIMENTAL_ASYNC_DISPATCH_VALIDATION is "true".
	DispatchValidation bool
	// PromMetrics counts runs and calls under the names of the reference. Default false; true when
	// $INNGEST_EXPERIMENTAL_PROM_METRICS is set to anything but "0", "false" or "no".
	PromMetrics bool
}

// Default is the configuration of a mode when nothing is set. In Start it lacks the required keys.
func Default(mode Mode) Config {
	return Config{
		Mode:         mode,
		Host:         defaultHost,
		Port:         defaultPort,
		Discovery:    mode == Dev,
		PollHealthy:  mode == Dev,
		PollInterval: defaultPollInterval,
		QueueWorkers: defaultQueueWorkers,
		Tick:         defaultTick,
		Persist:      mode == Start,

		AllowPrivateGateway: mode == Dev,
		SQLiteDir:           defaultSQLiteDir,
		Metadata:            true,
	}
}

// DatabasePath is the file the data is kept in, <SQLiteDir>/main.db, or empty when it lives in memory (Spec 16 §6.2).
func (c Config) DatabasePath() string {
	if !c.Persist {
		return ""
	}
	return filepath.Join(c.SQLiteDir, databaseName)
}
