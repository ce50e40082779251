package config

import (
	"fmt"
	"io"
	"net/url"
	"strings"
)

const redacted = "[redacted]"

// Secret is a string that no log, error or JSON shows. Every way of printing it gives "[redacted]", or nothing when it
// is empty; only Reveal gives the value.
type Secret string

// Reveal is the value itself.
func (s Secret) Reveal() string { return string(s) }

// String hides the value.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// Format hides the value whatever the verb; a Stringer alone would leak it through a wrong verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText hides the value in JSON and in logs.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal gives the values of secrets in their order, nil for none.
func Reveal(secrets []Secret) []string {
	var values []string
	for _, secret := range secrets {
		values = append(values, secret.Reveal())
	}
	return values
}

// secretParameters are query parameters that carry credentials in Redis, Postgres and app URLs.
var secretParameters = map[string]bool{
	"password": true, "pass": true, "sslpassword": true, "passfile": true, "secret": true, "token": true, "key": true,
}

// RedactURI is a connection URI fit for a log: user, host, path and harmless parameters stay, a password or a lone token
// before the @ and secret parameters become "xxxxx". Text that is no URI, such as a keyword DSN, is hidden as a whole.
func RedactURI(uri string) string {
	if uri == "" {
		return ""
	}
	parsed, err := url.Parse(uri)
	if err != nil || parsed.Scheme == "" || parsed.Opaque != "" {
		return redacted
	}
	if parsed.User != nil {
		if _, withPassword := parsed.User.Password(); !withPassword {
			parsed.User = url.User("xxxxx")
		}
	}
	if parsed.RawQuery != "" {
		query, err := url.ParseQuery(parsed.RawQuery)
		if err != nil {
			return redacted
		}
		for name := range query {
			if secretParameters[strings.ToLower(name)] {
				query[name] = []string{"xxxxx"}
			}
		}
		parsed.RawQuery = query.Encode()
	}
	return parsed.Redacted()
}
