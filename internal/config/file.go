package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/knadh/koanf/parsers/json"
	"github.com/knadh/koanf/parsers/yaml"
)

// maxFileSize bounds what is read of a config file, in bytes; a real one has a few hundred.
const maxFileSize = 1 << 20

// fileNames are tried in this order in every directory.
var fileNames = []string{"inngest.json", "inngest.yaml", "inngest.yml"}

// findFile reads the config file. An explicit path must load; otherwise the first file that parses is taken, from dir up
// to the root and then in the user's home (Spec 16 §3). It returns the path used, empty for none.
func findFile(explicit, dir, home string, log *slog.Logger) (map[string]any, string, error) {
	if explicit != "" {
		values, err := readFile(explicit)
		if err != nil {
			return nil, "", fmt.Errorf("error reading config file %s: %w", explicit, err)
		}
		return values, explicit, nil
	}
	for _, candidate := range candidates(dir, home) {
		values, err := readFile(candidate)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			log.Warn("error reading config file", "file", candidate, "error", err.Error())
			continue
		}
		return values, candidate, nil
	}
	return nil, "", nil
}

// candidates lists the paths that are searched, in order.
func candidates(dir, home string) []string {
	var dirs []string
	if dir != "" {
		for dir = filepath.Clean(dir); ; dir = filepath.Dir(dir) {
			dirs = append(dirs, dir)
			if filepath.Dir(dir) == dir {
				break
			}
		}
	}
	if home != "" {
		dirs = append(dirs, filepath.Join(home, ".config", "inngest"))
	}
	var paths []string
	for _, dir := range dirs {
		for _, name := range fileNames {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	return paths
}

func readFile(path string) (map[string]any, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFileSize+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxFileSize {
		return nil, fmt.Errorf("larger than %d bytes", maxFileSize)
	}
	return parse(filepath.Ext(path), content)
}

// parse decodes a config file by its extension: .json is JSON, everything else YAML, and without an extension JSON is
// tried where YAML fails. An empty YAML file is an empty map.
func parse(extension string, content []byte) (map[string]any, error) {
	if extension == ".json" {
		values, err := json.Parser().Unmarshal(content)
		if err != nil {
			return nil, fmt.Errorf("error parsing config file: %w", err)
		}
		return values, nil
	}
	values, err := yaml.Parser().Unmarshal(content)
	if err != nil && extension == "" {
		if values, err := json.Parser().Unmarshal(content); err == nil {
			return values, nil
		}
		err = fmt.Errorf("config file must be JSON or YAML: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("error parsing config file: %w", err)
	}
	return values, nil
}
