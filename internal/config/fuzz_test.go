package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
)

// FuzzParse reads arbitrary config files. Whatever is accepted must mean the same after being written back as JSON, and
// whatever is refused must be refused with one of the two texts of Spec 16 §3.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "[]", "null", "port: 9000\nsdk-url:\n  - http://localhost:3000/api/inngest\nno-discovery: true\npoll-interval: 10\n",
		`{"signing-key":"0123abcd","event-key":["k1","k2"],"redis-uri":"redis://localhost:6379"}`,
		"port: 0x10\nsigning-key: 0123\ntick: 1e3\npersist: yes", "host: &a b\nport: *a", "host: !!binary gICA", "a: [", "tick: [1]",
		"queue-workers: '010'\nevent-key: k", "host: 2001-01-01", "persist: 2.5\ntick: true", "host.name: a\nhost: {name: b}",
		"event-key: [~, 1, true, 1.5]", "tick: 99999999999999999999", "? {a: b}\n: c", "1: 2",
	} {
		for _, extension := range []string{"", ".json", ".yaml"} {
			f.Add(extension, []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, extension string, content []byte) {
		read, err := decodeFile(extension, content)
		if err != nil {
			if text := err.Error(); !strings.HasPrefix(text, "error parsing config file: ") && !strings.HasPrefix(text, "error unmarshaling config: ") {
				t.Fatalf("unexpected error: %v", err)
			}
			return
		}
		written := encodeFile(t, read)
		again, err := decodeFile(".json", written)
		if err != nil {
			t.Fatalf("written back as %s: %v", written, err)
		}
		if first, second := written, encodeFile(t, again); string(first) != string(second) {
			t.Fatalf("written back as\n%s\nreads as\n%s", first, second)
		}
	})
}

// decodeFile is the way of a file alone through Load.
func decodeFile(extension string, content []byte) (settings, error) {
	var values settings
	file, err := parse(extension, content)
	if err != nil {
		return values, err
	}
	merged := newLayers()
	if err := merged.store.Load(defaults(), nil); err != nil {
		return values, err
	}
	if err := merged.add(fromFile(file, slog.New(slog.DiscardHandler)), Key.Env); err != nil {
		return values, err
	}
	if err := merged.store.Unmarshal("", &values); err != nil {
		return values, fmt.Errorf("error unmarshaling config: %w", err)
	}
	return values, nil
}

// encodeFile writes settings as a JSON config file; integers as text, which JSON numbers are too short for, and strings
// without the stray bytes that YAML allows and JSON does not.
func encodeFile(t *testing.T, values settings) []byte {
	t.Helper()
	file := map[string]any{}
	content := reflect.ValueOf(values)
	for i := range content.NumField() {
		value := content.Field(i).Interface()
		switch typed := value.(type) {
		case int:
			value = fmt.Sprint(typed)
		case string:
			value = strings.ToValidUTF8(typed, "?")
		case []string:
			for j, entry := range typed {
				typed[j] = strings.ToValidUTF8(entry, "?")
			}
		}
		file[content.Type().Field(i).Tag.Get("koanf")] = value
	}
	encoded, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}
