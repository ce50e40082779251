package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/knadh/koanf/providers/confmap"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

// InvalidError is a value that breaks a rule. Its text is complete and goes to the user as it is; the texts of
// Spec 16 §2.1 are the reference's, including their capital letters.
type InvalidError struct {
	// Key is the setting at fault.
	Key  string
	Text string
}

// Error is the text for the user.
func (e *InvalidError) Error() string { return e.Text }

func invalid(key, format string, args ...any) error {
	return &InvalidError{Key: key, Text: fmt.Sprintf(format, args...)}
}

// validate returns the first broken rule, in the reference's order, then those of this server.
func (s settings) validate(mode Mode) error {
	if mode == Start {
		if err := s.validateStart(); err != nil {
			return err
		}
	}
	if s.ConnectGatewayGRPCIP != "" && net.ParseIP(s.ConnectGatewayGRPCIP) == nil {
		return invalid("connect-gateway-grpc-ip", "invalid connect gateway gRPC IP %q: must be an IP address", s.ConnectGatewayGRPCIP)
	}
	if s.ConnectExecutorGRPCIP != "" && net.ParseIP(s.ConnectExecutorGRPCIP) == nil {
		return invalid("connect-executor-grpc-ip", "invalid connect executor gRPC IP %q: must be an IP address", s.ConnectExecutorGRPCIP)
	}
	return s.validateServed()
}

// validateStart holds the rules only start has (Spec 16 §2.1). The reference rejects most keys with a prefix; here they are the same
// key as without it.
func (s settings) validateStart() error {
	key := sdk.NormalizeKey(s.SigningKey)
	if key == "" {
		return invalid(keySigningKey, "Error: signing-key is required")
	}
	if len(key)%2 != 0 {
		return invalid(keySigningKey, "Error: signing-key must be hex string with even number of chars")
	}
	if _, err := hex.DecodeString(key); err != nil {
		return invalid(keySigningKey, "Error: signing-key must be valid hex string: %s", err)
	}
	if fallback := sdk.NormalizeKey(s.SigningKeyFallback); !isHex(fallback) || fallback == "" && s.SigningKeyFallback != "" {
		return invalid(keySigningKeyFallback, "Error: signing-key-fallback must be hex string with even number of chars")
	}
	if len(withoutEmpty(s.EventKey)) == 0 {
		return invalid(keyEventKey, "Error: at least one event-key is required")
	}
	if s.PostgresMaxOpenConns <= 1 {
		return invalid("postgres-max-open-conns", "postgres-max-open-conns (%d) must be greater than 1", s.PostgresMaxOpenConns)
	}
	if s.PostgresMaxIdleConns > s.PostgresMaxOpenConns {
		return invalid("postgres-max-idle-conns", "postgres-max-idle-conns (%d) cannot be greater than postgres-max-open-conns (%d)",
			s.PostgresMaxIdleConns, s.PostgresMaxOpenConns)
	}
	return nil
}

func isHex(text string) bool {
	_, err := hex.DecodeString(text)
	return err == nil
}

// maxSeconds keeps a number of seconds within a time.Duration: about 292 years.
const maxSeconds = int(^uint(0)>>1) / int(time.Second)

// validateServed holds rules the reference lacks: it takes these values and then does no work, spins or panics.
func (s settings) validateServed() error {
	if port := s.port(); port < 0 || port > 65535 {
		return invalid(keyPort, "port (%s) must be a number from 0 to 65535", s.Port)
	}
	if s.QueueWorkers < 1 {
		return invalid("queue-workers", "queue-workers (%d) must be at least 1", s.QueueWorkers)
	}
	if s.PollInterval < 0 || s.PollInterval > maxSeconds {
		return invalid("poll-interval", "poll-interval (%d) must be a number of seconds from 0 to %d", s.PollInterval, maxSeconds)
	}
	if s.RetryInterval > maxSeconds {
		return invalid("retry-interval", "retry-interval (%d) must be a number of seconds up to %d", s.RetryInterval, maxSeconds)
	}
	return nil
}

// refuseUnserved reports every setting, with its source, that asks for a feature this version does not have. Running
// without it would look like success and keep data elsewhere than the user believes. Values are not shown: URIs hold
// passwords.
func (l *layers) refuseUnserved(mode Mode, port int) error {
	var refusals []error
	for _, key := range keys {
		origin, set := l.origin[key.Name]
		if !set || key.Support != Unserved || key.In(mode) == Absent {
			continue
		}
		value := fmt.Sprint(l.store.Get(key.Name))
		if value == "" || value == key.Default || key.Name == keySystemTraceEndpoint && value == fmt.Sprintf("localhost:%d", port) {
			continue
		}
		refusals = append(refusals, invalid(key.Name, "%s is set by %s, but this version does not serve %s yet: remove the setting", key.Name, origin, key.Feature))
	}
	return errors.Join(refusals...)
}

// defaults is the layer below all others.
func defaults() *confmap.Confmap {
	values := map[string]any{}
	for _, key := range keys {
		if key.Default == "" {
			continue
		}
		values[key.Name] = decimal(key, key.Default)
	}
	return confmap.Provider(values, "")
}
