package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ingothq/ingot/internal/config"
)

func TestLoad_SearchesForAFile(t *testing.T) {
	t.Parallel()
	const (
		deep   = "a/b"
		parent = "a"
		home   = "home"
		inHome = "home/.config/inngest/"
	)
	for name, test := range map[string]struct {
		files map[string]string // relative path to content
		want  string            // the file used
		warn  []string          // files warned of
	}{
		"nothing":              {nil, "", nil},
		"working directory":    {map[string]string{deep + "/inngest.yml": "port: 1"}, deep + "/inngest.yml", nil},
		"json before yaml":     {map[string]string{parent + "/inngest.yaml": "port: 1", parent + "/inngest.json": "{}"}, parent + "/inngest.json", nil},
		"yaml before yml":      {map[string]string{deep + "/inngest.yml": "port: 1", deep + "/inngest.yaml": ""}, deep + "/inngest.yaml", nil},
		"nearest directory":    {map[string]string{parent + "/inngest.json": "{}", deep + "/inngest.yml": ""}, deep + "/inngest.yml", nil},
		"parents before home":  {map[string]string{inHome + "inngest.json": "{}", parent + "/inngest.yml": ""}, parent + "/inngest.yml", nil},
		"home":                 {map[string]string{inHome + "inngest.yaml": ""}, inHome + "inngest.yaml", nil},
		"home itself is not":   {map[string]string{home + "/inngest.yaml": ""}, "", nil},
		"unparsable is passed": {map[string]string{deep + "/inngest.json": "{", deep + "/inngest.yml": "a: [", parent + "/inngest.yaml": "port: 2"}, parent + "/inngest.yaml", []string{deep + "/inngest.json", deep + "/inngest.yml"}},
		"only unparsable":      {map[string]string{deep + "/inngest.json": ""}, "", []string{deep + "/inngest.json"}},
		"list is no config":    {map[string]string{deep + "/inngest.yaml": "- a"}, "", []string{deep + "/inngest.yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			dir := filepath.Join(root, deep)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			for path, content := range test.files {
				write(t, filepath.Join(root, path), content)
			}
			log, lines := recorder()
			cfg, err := config.Load(config.Dev, config.Sources{Dir: dir, Home: filepath.Join(root, home)}, log)
			if err != nil {
				t.Fatal(err)
			}
			want := ""
			if test.want != "" {
				want = filepath.Join(root, test.want)
			}
			if cfg.File != want {
				t.Errorf("used %q, want %q", cfg.File, want)
			}
			if used := strings.Contains(lines.String(), `level=INFO msg="using config" file=`); used != (want != "") {
				t.Errorf("log of the file used:\n%s", lines)
			}
			for _, path := range test.warn {
				if !strings.Contains(lines.String(), `level=WARN msg="error reading config file" file=`+filepath.Join(root, path)) {
					t.Errorf("no warning of %s:\n%s", path, lines)
				}
			}
			if got := strings.Count(lines.String(), "level=WARN"); got != len(test.warn) {
				t.Errorf("%d warnings, want %d:\n%s", got, len(test.warn), lines)
			}
		})
	}
}

func TestLoad_ExplicitFile(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file, content string
		port          int
		err           string // what the error says after naming the file
	}{
		"json":                        {"c.json", `{"port":1}`, 1, ""},
		"yaml":                        {"c.yaml", "port: 2", 2, ""},
		"yml":                         {"c.yml", "port: 3", 3, ""},
		"other extensions are yaml":   {"c.conf", "port: 4", 4, ""},
		"no extension, yaml":          {"conf", "port: 5", 5, ""},
		"no extension, json":          {"conf", "{\"port\":6,\n\t\"port\":6}", 6, ""}, // YAML forbids the second key
		"invalid json":                {"c.json", "port: 1", 0, "error parsing config file: "},
		"invalid yaml":                {"c.yaml", "a: [", 0, "error parsing config file: "},
		"no extension, neither":       {"conf", "a: [", 0, "error parsing config file: config file must be JSON or YAML: "},
		"json under the yaml flag":    {"c.yaml", `{"port":7}`, 7, ""},
		"larger than any real config": {"c.yaml", "# " + strings.Repeat("x", 1<<20), 0, "larger than "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := write(t, filepath.Join(t.TempDir(), test.file), test.content)
			// A file that would be found must not be used in its stead.
			dir := filepath.Dir(write(t, filepath.Join(t.TempDir(), "inngest.json"), `{"port":99}`))
			for source, sources := range map[string]config.Sources{
				"flag": {Dir: dir, Flags: map[string]any{"config": path}, Environ: []string{"INNGEST_CONFIG=/does/not/exist"}},
				"env":  {Dir: dir, Environ: []string{"INNGEST_CONFIG=" + path}},
			} {
				cfg, err := config.Load(config.Dev, sources, discard)
				if test.err == "" {
					if err != nil || cfg.Port != test.port || cfg.File != path {
						t.Errorf("%s: port %d file %q error %v", source, cfg.Port, cfg.File, err)
					}
					continue
				}
				if want := "error reading config file " + path + ": " + test.err; err == nil || !strings.HasPrefix(err.Error(), want) {
					t.Errorf("%s: error %v, want %s…", source, err, want)
				}
			}
		})
	}
}

func TestLoad_ExplicitFileMustExist(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "missing.yaml")
	_, err := config.Load(config.Dev, config.Sources{Flags: map[string]any{"config": path}}, discard)
	if !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "error reading config file "+path+": ") {
		t.Errorf("error %v", err)
	}
	_, err = config.Load(config.Dev, config.Sources{Flags: map[string]any{"config": filepath.Dir(path)}}, discard)
	if err == nil || !strings.HasPrefix(err.Error(), "error reading config file "+filepath.Dir(path)+": ") {
		t.Errorf("a directory as config: error %v", err)
	}
}
