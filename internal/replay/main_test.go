package replay

import (
	"context"
	"flag"
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
		return runAll(m)
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
	return runAll(m)
}

// runAll runs the tests and, when all of them ran and passed, asks whether each row of the differences was needed.
func runAll(m *testing.M) int {
	code := m.Run()
	for _, narrowed := range []string{"test.run", "test.skip", "test.list"} {
		if flag.Lookup(narrowed).Value.String() != "" {
			return code
		}
	}
	if code == 0 {
		for _, row := range unseen() {
			fmt.Fprintf(os.Stderr, "the difference %q is gone (%s, %s, %s): take its row away\n", row.reason, row.recording, row.where, row.field)
			code = 1
		}
	}
	return code
}
