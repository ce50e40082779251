package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// BinaryEnv names the environment variable that holds the path of a ready binary; without it the binary is built.
const BinaryEnv = "INGOT_BIN"

// Binary returns the absolute path of the server binary: that of INGOT_BIN, or bin/server of the repository, built
// once per test process.
var Binary = sync.OnceValues(func() (string, error) {
	if given := os.Getenv(BinaryEnv); given != "" {
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
	builtIn = dir
	path := filepath.Join(dir, "server")
	build := exec.Command("go", "build", "-o", path, "./cmd/server")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the server: %w\n%s", err, out)
	}
	return path, nil
})

// builtIn is the folder that Binary made; empty when it made none.
var builtIn string

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

// Main runs the tests of a package and removes the binary that was built for them; call it from TestMain.
func Main(run func() int) {
	code := run()
	if builtIn != "" {
		_ = os.RemoveAll(builtIn)
	}
	os.Exit(code)
}
