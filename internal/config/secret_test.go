package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/ingothq/ingot/internal/config"
)

func TestSecret_IsNeverPrinted(t *testing.T) {
	t.Parallel()
	cfg := config.Default(config.Start)
	cfg.SigningKey = "s3cret"
	cfg.EventKeys = []config.Secret{"s3cret"}

	encoded, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&lines, nil), slog.NewJSONHandler(&lines, nil)} {
		log := slog.New(handler)
		log.Info("m", "config", cfg, "pointer", &cfg, "key", cfg.SigningKey, "keys", cfg.EventKeys)
	}
	printed := []string{string(encoded), lines.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		printed = append(printed, fmt.Sprintf(verb, cfg), fmt.Sprintf(verb, cfg.SigningKey))
	}
	for _, text := range printed {
		if strings.Contains(text, "s3cret") || strings.Contains(text, fmt.Sprintf("%x", "s3cret")) {
			t.Errorf("secret in %s", text)
		}
		if !strings.Contains(text, "[redacted]") {
			t.Errorf("no sign of the secret in %s", text)
		}
	}
	if empty := fmt.Sprint(config.Secret("")); empty != "" {
		t.Errorf("an empty secret prints as %q", empty)
	}
}

func TestRedactURI(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"":                                       "",
		"redis://localhost:6379/1":               "redis://localhost:6379/1",
		"redis://user:pw@localhost":              "redis://user:xxxxx@localhost",
		"redis://:pw@localhost":                  "redis://:xxxxx@localhost",
		"redis://token@localhost":                "redis://xxxxx@localhost",
		"postgres://u:p%40w@h/db?sslmode=x":      "postgres://u:xxxxx@h/db?sslmode=x",
		"postgres://h/db?password=pw&sslmode=x":  "postgres://h/db?password=xxxxx&sslmode=x",
		"postgres://h/db?sslPassword=pw":         "postgres://h/db?sslPassword=xxxxx",
		"unix:///run/redis.sock?db=1":            "unix:///run/redis.sock?db=1",
		"host=h user=u password=pw":              "[redacted]",
		"redis:pw@localhost":                     "[redacted]",
		"postgres://u:p w@h":                     "[redacted]",
		"postgres://h/db?a=%zz&password=pw":      "[redacted]",
		"http://localhost:3000/api/inngest?x=%2": "[redacted]",
	} {
		if got := config.RedactURI(uri); got != want {
			t.Errorf("%s: %s, want %s", uri, got, want)
		}
	}
}
