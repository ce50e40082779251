package config

import (
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func TestKeys_MatchTheSettings(t *testing.T) {
	t.Parallel()
	kinds := map[Kind]reflect.Type{
		String: reflect.TypeFor[string](), Int: reflect.TypeFor[int](), Bool: reflect.TypeFor[bool](), List: reflect.TypeFor[[]string](),
	}
	fields := map[string]reflect.Type{}
	for field := range reflect.TypeFor[settings]().Fields() {
		fields[field.Tag.Get("koanf")] = field.Type
	}
	fields[keyConfig] = kinds[String]
	for _, key := range Keys() {
		if fields[key.Name] != kinds[key.Kind] {
			t.Errorf("%s is a %v in settings, want %v", key.Name, fields[key.Name], kinds[key.Kind])
		}
		delete(fields, key.Name)
		if _, err := strconv.Atoi(key.Default); key.Kind == Int && err != nil {
			t.Errorf("%s has the default %q", key.Name, key.Default)
		}
		if key.Usage == "" || (key.Feature != "") != (key.Support == Unserved) || key.Dev == Absent && key.Start == Absent {
			t.Errorf("incomplete key %+v", key)
		}
	}
	for name := range fields {
		t.Errorf("settings field %s has no key", name)
	}
}

// TestKeys_AreDocumented holds that every key has its row, with its variable, in docs/configuration.md.
func TestKeys_AreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(string(page)) {
		if name, found := strings.CutPrefix(line, "| `"); found {
			name, _, _ = strings.Cut(name, "`")
			rows[name] = line
		}
	}
	for _, key := range Keys() {
		row, found := rows[key.Name]
		if !found || !strings.Contains(row, "`"+key.Env()+"`") {
			t.Errorf("no row for %s and %s", key.Name, key.Env())
		}
		if key.Default != "" && !strings.Contains(row, "`"+key.Default+"`") {
			t.Errorf("row of %s lacks the default %s", key.Name, key.Default)
		}
		if refused := strings.Contains(row, "refused"); refused != (key.Support == Unserved) {
			t.Errorf("row of %s says refused: %v", key.Name, refused)
		}
	}
}
