package config_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/config"
)

// notServed marks a configuration that passes validation and is refused only for a feature this version lacks.
const notServed = "not served"

func TestLoad_StartValidation(t *testing.T) {
	t.Parallel()
	const odd = "Error: signing-key must be hex string with even number of chars"
	const badFallback = "Error: signing-key-fallback must be hex string with even number of chars"
	for name, test := range map[string]struct {
		flags map[string]any
		want  string
	}{
		"no signing key":           {map[string]any{}, "Error: signing-key is required"},
		"prefix only":              {map[string]any{"signing-key": "signkey-prod-"}, "Error: signing-key is required"},
		"odd length":               {map[string]any{"signing-key": "abc"}, odd},
		"odd length behind prefix": {map[string]any{"signing-key": "signkey-prod-abc"}, odd},
		"not hex":                  {map[string]any{"signing-key": "zz"}, "Error: signing-key must be valid hex string: encoding/hex: invalid byte: U+007A 'z'"},
		"not hex behind prefix":    {map[string]any{"signing-key": "signkey-prod-0g"}, "Error: signing-key must be valid hex string: encoding/hex: invalid byte: U+0067 'g'"},
		"no event key":             {map[string]any{"signing-key": "ab"}, "Error: at least one event-key is required"},
		"empty event key":          {map[string]any{"signing-key": "ab", "event-key": []string{""}}, "Error: at least one event-key is required"},
		"fallback that is no hex":  {map[string]any{"signing-key": "ab", "signing-key-fallback": "zz", "event-key": []string{"k"}}, badFallback},
		"fallback of odd length":   {map[string]any{"signing-key": "ab", "signing-key-fallback": "signkey-prod-abc", "event-key": []string{"k"}}, badFallback},
		"fallback prefix only":     {map[string]any{"signing-key": "ab", "signing-key-fallback": "signkey-prod-", "event-key": []string{"k"}}, badFallback},
		"signing key comes first":  {map[string]any{"postgres-max-open-conns": 0, "connect-gateway-grpc-ip": "x"}, "Error: signing-key is required"},
		"pool before addresses": {map[string]any{"signing-key": "ab", "event-key": []string{"k"}, "postgres-max-open-conns": 1, "connect-gateway-grpc-ip": "x"},
			"postgres-max-open-conns (1) must be greater than 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load(config.Start, config.Sources{Flags: test.flags}, discard)
			checkInvalid(t, err, test.want)
		})
	}
}

func TestLoad_SigningKeyWithAndWithoutPrefix(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"0123abCD", "signkey-prod-0123abCD", "signkey-branch-0123abCD", "signkey-test_1-0123abCD"} {
		cfg := load(t, config.Start, config.Sources{Environ: []string{"INNGEST_EVENT_KEY=k", "INNGEST_SIGNING_KEY=" + key}})
		if got := cfg.SigningKey.Reveal(); got != "0123abCD" {
			t.Errorf("%s is read as %s", key, got)
		}
	}
}

func TestLoad_PoolValidation(t *testing.T) {
	t.Parallel()
	tests := []struct {
		idle, open int
		want       string
	}{
		{10, 100, ""},
		{10, 0, "postgres-max-open-conns (0) must be greater than 1"},
		{10, 1, "postgres-max-open-conns (1) must be greater than 1"},
		{1, 2, notServed},
		{50, 25, "postgres-max-idle-conns (50) cannot be greater than postgres-max-open-conns (25)"},
		{25, 25, notServed},
		{0, 10, notServed},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("idle %d open %d", test.idle, test.open), func(t *testing.T) {
			t.Parallel()
			content := fmt.Sprintf("postgres-max-idle-conns: %d\npostgres-max-open-conns: %d\n", test.idle, test.open)
			for source, sources := range map[string]config.Sources{
				"flag": {Environ: startEnv(), Flags: map[string]any{"postgres-max-idle-conns": test.idle, "postgres-max-open-conns": test.open}},
				"env":  {Environ: startEnv(fmt.Sprintf("INNGEST_POSTGRES_MAX_IDLE_CONNS=%d", test.idle), fmt.Sprintf("INNGEST_POSTGRES_MAX_OPEN_CONNS=%d", test.open))},
				"file": {Environ: startEnv(), Flags: map[string]any{"config": write(t, filepath.Join(t.TempDir(), "c.yaml"), content)}},
			} {
				t.Log(source)
				_, err := config.Load(config.Start, sources, discard)
				checkInvalid(t, err, test.want)
			}
		})
	}
	t.Run("dev has no such rule", func(t *testing.T) {
		t.Parallel()
		_, err := config.Load(config.Dev, config.Sources{Environ: []string{"INNGEST_POSTGRES_MAX_OPEN_CONNS=1"}}, discard)
		checkInvalid(t, err, notServed)
	})
}

func TestLoad_AddressAndRangeValidation(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		variable, want string
	}{
		"gateway name":         {"CONNECT_GATEWAY_GRPC_IP=localhost", `invalid connect gateway gRPC IP "localhost": must be an IP address`},
		"executor name":        {"CONNECT_EXECUTOR_GRPC_IP=host.docker", `invalid connect executor gRPC IP "host.docker": must be an IP address`},
		"gateway IPv4":         {"CONNECT_GATEWAY_GRPC_IP=127.0.0.1", ""},
		"other IPv4":           {"CONNECT_GATEWAY_GRPC_IP=10.1.2.3", notServed},
		"executor IPv6":        {"CONNECT_EXECUTOR_GRPC_IP=::1", notServed},
		"no address":           {"CONNECT_GATEWAY_GRPC_IP=", ""},
		"no workers":           {"QUEUE_WORKERS=0", "queue-workers (0) must be at least 1"},
		"less than no workers": {"QUEUE_WORKERS=-1", "queue-workers (-1) must be at least 1"},
		"port is a word":       {"PORT=http", "port (http) must be a number from 0 to 65535"},
		"port too high":        {"PORT=65536", "port (65536) must be a number from 0 to 65535"},
		"negative port":        {"PORT=-1", "port (-1) must be a number from 0 to 65535"},
		"highest port":         {"PORT=65535", ""},
		"any port":             {"PORT=0", ""},
		"negative poll":        {"POLL_INTERVAL=-5", "poll-interval (-5) must be a number of seconds from 0 to 9223372036"},
		"endless retry":        {"RETRY_INTERVAL=9223372037", "retry-interval (9223372037) must be a number of seconds up to 9223372036"},
	} {
		for _, mode := range both {
			t.Run(name+"/"+string(mode), func(t *testing.T) {
				t.Parallel()
				_, err := config.Load(mode, config.Sources{Environ: startEnv("INNGEST_" + test.variable)}, discard)
				checkInvalid(t, err, test.want)
			})
		}
	}
}

func TestLoad_RefusesFeaturesItLacks(t *testing.T) {
	t.Parallel()
	path := write(t, filepath.Join(t.TempDir(), "c.yaml"), "postgres-uri: postgres://u:s3cret@h/db\nconnect-gateway-port: 8289\n")
	_, err := config.Load(config.Start, config.Sources{
		Environ: startEnv("INNGEST_REDIS_URI=redis://:s3cret@h", "INNGEST_POSTGRES_CONN_MAX_LIFETIME=30"),
		Flags:   map[string]any{"config": path, "connect-executor-grpc-port": 1},
	}, discard)
	want := strings.Join([]string{
		"redis-uri is set by INNGEST_REDIS_URI, but this version does not serve external Redis yet: remove the setting",
		"postgres-uri is set by postgres-uri in " + path + ", but this version does not serve PostgreSQL storage yet: remove the setting",
		"connect-executor-grpc-port is set by --connect-executor-grpc-port, but this version does not serve Connect yet: remove the setting",
	}, "\n")
	if err == nil || err.Error() != want {
		t.Errorf("error\n%v\nwant\n%s", err, want)
	}
}

// TestLoad_RefusesEachKeyOfAFeatureItLacks takes every unserved key from every source, at its default and away from it.
func TestLoad_RefusesEachKeyOfAFeatureItLacks(t *testing.T) {
	t.Parallel()
	other := map[config.Kind]any{config.String: "1.2.3.4", config.Int: 11}
	for _, key := range config.Keys() {
		if key.Support != config.Unserved {
			continue
		}
		for _, mode := range both {
			t.Run(key.Name+"/"+string(mode), func(t *testing.T) {
				t.Parallel()
				for value, want := range map[string]string{key.Default: "", fmt.Sprint(other[key.Kind]): notServed} {
					if key.In(mode) == config.Absent {
						want = ""
					}
					file := write(t, filepath.Join(t.TempDir(), "c.yaml"), fmt.Sprintf("%s: %q", key.Name, value))
					for _, environ := range [][]string{startEnv(key.Env() + "=" + value), startEnv("INNGEST_CONFIG=" + file)} {
						_, err := config.Load(mode, config.Sources{Environ: environ}, discard)
						checkInvalid(t, err, want)
					}
				}
			})
		}
	}
}

func TestLoad_SystemTraceEndpointOfTheServerItselfIsTheDefault(t *testing.T) {
	t.Parallel()
	_, err := config.Load(config.Dev, config.Sources{Environ: []string{"INNGEST_PORT=9000", "INNGEST_SYSTEM_TRACE_ENDPOINT=localhost:9000"}}, discard)
	checkInvalid(t, err, "")
}

// checkInvalid compares an error with the text expected: none when empty, a refusal for notServed.
func checkInvalid(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("error %v, want none", err)
		}
		return
	}
	var invalid *config.InvalidError
	if !errors.As(err, &invalid) {
		t.Fatalf("error %v, want an InvalidError: %s", err, want)
	}
	if want == notServed {
		if !strings.Contains(err.Error(), "this version does not serve") {
			t.Errorf("error %v, want a refusal", err)
		}
		return
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.Contains(want, invalid.Key) && !strings.Contains(want, "gRPC IP") {
		t.Errorf("error %q names key %s", want, invalid.Key)
	}
}
