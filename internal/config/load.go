package config

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

// Sources is where values come from.
type Sources struct {
	// Flags holds the flags given on the command line, by key name: string, int, bool or []string.
	Flags map[string]any
	// Environ has the form of os.Environ.
	Environ []string
	// Dir is where the search for a config file begins, an absolute path; empty searches no directories.
	Dir string
	// Home is the user's home directory; empty when unknown.
	Home string
}

// settings is the typed form of all keys, decoded weakly: "5" is 5, 1 is true (Spec 16 §3). Keys that a mode does not
// have are here too, because a value of the wrong type is an error in either mode.
type settings struct {
	Host                    string   `koanf:"host"`
	Port                    string   `koanf:"port"`
	SDKURL                  []string `koanf:"sdk-url"`
	NoDiscovery             bool     `koanf:"no-discovery"`
	NoPoll                  bool     `koanf:"no-poll"`
	SigningKey              string   `koanf:"signing-key"`
	SigningKeyFallback      string   `koanf:"signing-key-fallback"`
	EventKey                []string `koanf:"event-key"`
	Persist                 bool     `koanf:"persist"`
	SQLiteDir               string   `koanf:"sqlite-dir"`
	PollInterval            int      `koanf:"poll-interval"`
	RetryInterval           int      `koanf:"retry-interval"`
	QueueWorkers            int      `koanf:"queue-workers"`
	Tick                    int      `koanf:"tick"`
	NoUI                    bool     `koanf:"no-ui"`
	AllowPrivateGateway     bool     `koanf:"allow-private-gateway"`
	RedisURI                string   `koanf:"redis-uri"`
	PostgresURI             string   `koanf:"postgres-uri"`
	PostgresMaxIdleConns    int      `koanf:"postgres-max-idle-conns"`
	PostgresMaxOpenConns    int      `koanf:"postgres-max-open-conns"`
	PostgresConnMaxIdleTime int      `koanf:"postgres-conn-max-idle-time"`
	PostgresConnMaxLifetime int      `koanf:"postgres-conn-max-lifetime"`
	ConnectGatewayPort      int      `koanf:"connect-gateway-port"`
	ConnectGatewayGRPCPort  int      `koanf:"connect-gateway-grpc-port"`
	ConnectExecutorGRPCPort int      `koanf:"connect-executor-grpc-port"`
	ConnectGatewayGRPCIP    string   `koanf:"connect-gateway-grpc-ip"`
	ConnectExecutorGRPCIP   string   `koanf:"connect-executor-grpc-ip"`
	DebugAPIPort            int      `koanf:"debug-api-port"`
	SystemTraceEndpoint     string   `koanf:"system-trace-endpoint"`
	SystemTraceURLPath      string   `koanf:"system-trace-url-path"`
}

// Load reads all sources and returns a valid configuration. Its errors are complete sentences for the user, some with
// fixed texts (Spec 16 §2.1, §3); a value that fails a rule gives an [*InvalidError]. It logs which file it used.
func Load(mode Mode, sources Sources, log *slog.Logger) (Config, error) {
	merged, file, err := merge(sources, log)
	if err != nil {
		return Config{}, err
	}
	var values settings
	if err := merged.store.Unmarshal("", &values); err != nil {
		return Config{}, fmt.Errorf("error unmarshaling config: %w", err)
	}
	if err := values.validate(mode); err != nil {
		return Config{}, err
	}
	if err := merged.refuseUnserved(mode, values.port()); err != nil {
		return Config{}, err
	}
	merged.reportIgnored(mode, log)
	cfg := values.config(mode)
	cfg.File = file
	cfg.DiscoveryPort, _ = lookupEnv(sources.Environ, envDiscoveryPort)
	cfg.FeatureFlags, _ = lookupEnv(sources.Environ, envFeatureFlags)
	metadata, _ := lookupEnv(sources.Environ, envStepMetadata)
	cfg.Metadata = metadata != "false"
	test, _ := lookupEnv(sources.Environ, envTestMode)
	cfg.TestMode = test == "true"
	validation, _ := lookupEnv(sources.Environ, envDispatchValidation)
	cfg.DispatchValidation = validation == "true"
	metrics, _ := lookupEnv(sources.Environ, envPromMetrics)
	cfg.PromMetrics = switchedOn(metrics)
	return cfg, nil
}

// switchedOn reads a variable that is on unless it says otherwise. Spec 17 §1.
func switchedOn(value string) bool {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "", "0", "false", "no":
		return false
	}
	return true
}

// file reads the config file that a flag or a variable names, or else the first that is found.
func (s Sources) file(log *slog.Logger) (map[string]any, string, error) {
	explicit, _ := lookupEnv(s.Environ, envPrefix+"CONFIG")
	if flag, given := s.Flags[keyConfig].(string); given {
		explicit = flag
	}
	return findFile(explicit, s.Dir, s.Home, log)
}

// LoadAPI reads of the config file where a server's API is: the keys api-host and api-port, empty when it has none of them. Files are
// looked for as by Load. Spec 16 §3, §10.
func LoadAPI(sources Sources, log *slog.Logger) (host, port string, err error) {
	content, file, err := sources.file(log)
	if err != nil {
		return "", "", err
	}
	if host, err = textOf(content, "api-host"); err == nil {
		port, err = textOf(content, "api-port")
	}
	if err != nil {
		return "", "", fmt.Errorf("error unmarshaling config: %w in %s", err, file)
	}
	return host, port, nil
}

// textOf is a value that is written as text or as a whole number; empty when there is none.
func textOf(content map[string]any, key string) (string, error) {
	switch value := content[key].(type) {
	case nil:
		return "", nil
	case string:
		return value, nil
	case int:
		return strconv.Itoa(value), nil
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64), nil
	default:
		return "", fmt.Errorf("%s is neither text nor a number", key)
	}
}

// merge stacks defaults, file, environment and flags.
func merge(sources Sources, log *slog.Logger) (*layers, string, error) {
	content, file, err := sources.file(log)
	if err != nil {
		return nil, "", err
	}
	if file != "" {
		log.Info("using config", "file", file)
	}

	merged := newLayers()
	steps := []struct {
		values map[string]any
		origin func(Key) string
	}{
		{fromFile(content, log), func(key Key) string { return key.Name + " in " + file }},
		{fromEnv(sources.Environ), Key.Env},
		{maps.Clone(sources.Flags), func(key Key) string { return "--" + key.Name }},
	}
	if err := merged.store.Load(defaults(), nil); err != nil {
		return nil, "", fmt.Errorf("error merging config: %w", err)
	}
	for _, step := range steps {
		if err := merged.add(step.values, step.origin); err != nil {
			return nil, "", err
		}
	}
	return merged, file, nil
}

// reportIgnored names, at debug level, settings that the mode does not have or that have no effect.
func (l *layers) reportIgnored(mode Mode, log *slog.Logger) {
	for _, key := range keys {
		origin, set := l.origin[key.Name]
		if set && (key.In(mode) == Absent || key.Support == Inert) {
			log.Debug("setting has no effect", "key", key.Name, "origin", origin, "mode", string(mode))
		}
	}
}

// config gives settings that passed validation their units and defaults.
func (s settings) config(mode Mode) Config {
	cfg := Default(mode)
	cfg.Host = cmp.Or(s.Host, cfg.Host)
	cfg.Port = s.port()
	for _, address := range withoutEmpty(s.SDKURL) {
		cfg.SDKURLs = append(cfg.SDKURLs, withScheme(address))
	}
	cfg.PollInterval = cmp.Or(time.Duration(s.PollInterval)*time.Second, cfg.PollInterval)
	cfg.RetryInterval = time.Duration(max(0, s.RetryInterval)) * time.Second
	cfg.QueueWorkers = s.QueueWorkers
	cfg.Tick = cmp.Or(time.Duration(min(max(0, s.Tick), maxSeconds))*time.Millisecond, cfg.Tick)
	cfg.SQLiteDir = cmp.Or(s.SQLiteDir, cfg.SQLiteDir)
	switch mode {
	case Dev:
		cfg.Discovery = !s.NoDiscovery
		cfg.PollHealthy = !s.NoPoll
		cfg.Persist = s.Persist
	case Start:
		cfg.SigningKey = Secret(sdk.NormalizeKey(s.SigningKey))
		cfg.SigningKeyFallback = Secret(sdk.NormalizeKey(s.SigningKeyFallback))
		for _, key := range withoutEmpty(s.EventKey) {
			cfg.EventKeys = append(cfg.EventKeys, Secret(key))
		}
		cfg.NoUI = s.NoUI
		cfg.AllowPrivateGateway = s.AllowPrivateGateway
	}
	return cfg
}

// port is the port as a number, -1 when it is not one.
func (s settings) port() int {
	port, err := strconv.Atoi(cmp.Or(s.Port, strconv.Itoa(defaultPort)))
	if err != nil {
		return -1
	}
	return port
}

// withoutEmpty drops empty entries, as "a,,b" and an unset variable give them: an empty event key would admit anybody,
// and an empty URL leads nowhere.
func withoutEmpty(list []string) []string {
	var rest []string
	for _, entry := range list {
		if entry != "" {
			rest = append(rest, entry)
		}
	}
	return rest
}

// withScheme prepends http:// to an address without a scheme (Spec 16 §2).
func withScheme(address string) string {
	if strings.Contains(address, "://") {
		return address
	}
	return "http://" + address
}
