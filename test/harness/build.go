package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// BinaryEnv and ClockBinaryEnv name the environment variables that hold the paths of ready binaries; without them the
// binaries are built.
const (
	BinaryEnv      = "INGOT_BIN"
	ClockBinaryEnv = "INGOT_CLOCK_BIN"
)

// Binary and ClockBinary return the absolute paths of the server and of the server whose time is moved by hand: those of
// the environment, or built once per test process.
var (
	Binary      = sync.OnceValues(func() (string, error) { return binary(BinaryEnv, "./cmd/server") })
	ClockBinary = sync.OnceValues(func() (string, error) { return binary(ClockBinaryEnv, "./internal/tools/clockserver") })
)

func binary(env, source string) (string, error) {
	if given := os.Getenv(env); given != "" {
		return filepath.Abs(given)
	}
	root, err := repositoryRoot()
	if err != nil {
		return "", err
	}
	// Test packages run side by side: each builds a file of its own, so that none runs a half-written binary.
	dir, err := os.MkdirTemp("", "ingot-bin-")
	if err != nil {
		return "", fmt.Errorf("make a folder for the binary: %w", err)
	}
	building.Lock()
	builtIn = append(builtIn, dir)
	building.Unlock()
	path := filepath.Join(dir, "server")
	build := exec.Command("go", "build", "-o", path, source)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", source, err, out)
	}
	return path, nil
}

// builtIn are the folders that were made for binaries.
var (
	building sync.Mutex
	builtIn  []string
)

// repositoryRoot walks up from the working directory to the folder that holds cmd/server.
func repositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the working directory: %w", err)
	}
	for {
		if info, err := os.Stat(filepath.Join(dir, "cmd", "server")); err == nil && info.IsDir() {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no folder above holds cmd/server")
		}
		dir = parent
	}
}

// Main runs the tests of a package and removes the binaries that were built for them; call it from TestMain.
func Main(run func() int) {
	code := run()
	for _, dir := range builtIn {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}
