package replay

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// serverBinary is the server under test.
var serverBinary string

// TestMain builds the server once. $INGOT_BIN names one that is built already, so that any server of the same protocol
// can be compared.
func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if serverBinary = os.Getenv("INGOT_BIN"); serverBinary != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "replay-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "make a folder for the binary:", err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	serverBinary = filepath.Join(dir, "server")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", serverBinary, "../../cmd/server")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build the server:", err)
		return 1
	}
	return m.Run()
}
