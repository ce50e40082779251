package arch_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ingothq/ingot/internal/arch"
)

// TestTree holds the rules against the project's own source.
func TestTree(t *testing.T) {
	t.Parallel()
	packages, err := arch.Load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	dirs := make([]string, 0, len(packages))
	for _, pkg := range packages {
		dirs = append(dirs, pkg.Dir)
	}
	for _, want := range []string{"internal/arch", "internal/domain/run", "internal/ports"} {
		if !slices.Contains(dirs, want) {
			t.Fatalf("%s was not read, only %v", want, dirs)
		}
	}
	for _, violation := range arch.Check(packages) {
		t.Error(violation)
	}
}

// TestCheck breaks every rule once and keeps each once, in a tree of its own.
func TestCheck(t *testing.T) {
	t.Parallel()
	const own = arch.Module + "/"
	tests := []struct {
		name string
		file string
		body string
		// want is part of the only violation; empty when the file is in order.
		want string
	}{
		{"domain may import domain", "internal/domain/run/a.go", `import "` + own + `internal/domain/event"`, ""},
		{"domain must not import ports", "internal/domain/run/a.go", `import "` + own + `internal/ports"`, "internal/domain/run → internal/ports (rule: domain imports nothing of ours)"},
		{"domain may import net/url", "internal/domain/sdk/a.go", `import "net/url"`, ""},
		{"domain must not import net/http", "internal/domain/sdk/a.go", `import "net/http"`, "→ net/http (rule: domain does no I/O"},
		{"domain must not import net", "internal/domain/sdk/a.go", `import "net"`, "→ net (rule"},
		{"domain must not import os", "internal/domain/sdk/a.go", `import "os"`, "→ os (rule"},
		{"domain must not import below os", "internal/domain/sdk/a.go", `import "os/exec"`, "→ os/exec (rule"},
		{"domain must not import database/sql", "internal/domain/sdk/a.go", `import "database/sql"`, "→ database/sql (rule"},
		{"domain must not log", "internal/domain/sdk/a.go", `import "log"`, "→ log (rule"},
		{"domain must not log by slog", "internal/domain/sdk/a.go", `import "log/slog"`, "→ log/slog (rule"},
		{"domain must not draw lots", "internal/domain/sdk/a.go", "import \"math/rand/v2\"\nvar T = rand.IntN(6)", "rand.IntN (rule: domain has no clock, no chance"},
		{"domain may draw from a seed", "internal/domain/sdk/a.go", "import \"math/rand/v2\"\nvar T = rand.NewChaCha8", ""},
		{"domain must not draw lots of old", "internal/domain/sdk/a.go", `import "math/rand"`, "→ math/rand (rule"},
		{"domain must not draw secret lots", "internal/domain/sdk/a.go", `import "crypto/rand"`, "→ crypto/rand (rule"},
		{"domain may import a pure library", "internal/domain/expr/a.go", `import "cel.dev/cel-go/cel"`, ""},
		{"domain must not import other libraries", "internal/domain/expr/a.go", `import "github.com/labstack/echo/v4"`, "only the libraries listed"},
		{"a library's prefix is not the library", "internal/domain/expr/a.go", `import "github.com/google/uuidx"`, "only the libraries listed"},
		{"domain must not import generated code", "internal/domain/run/a.go", `import "` + own + `proto/ingot/engine/v1"`, "→ proto/ingot/engine/v1 (rule: domain imports nothing of ours)"},
		{"domain must not read the clock", "internal/domain/run/a.go", "import \"time\"\nvar T = time.Now()", "a.go:3: time.Now (rule: domain has no clock"},
		{"domain must not read a renamed clock", "internal/domain/run/a.go", "import clock \"time\"\nvar T = clock.Since", "clock.Since"},
		{"domain may speak of time", "internal/domain/run/a.go", "import \"time\"\nvar T time.Time", ""},
		{"a field called Now is not the clock", "internal/domain/run/a.go", "type in struct{ Now int }\nfunc f(time in) int { return time.Now }", ""},
		{"domain must not make random ids", "internal/domain/run/a.go", "import \"github.com/google/uuid\"\nvar T = uuid.New()", "uuid.New"},
		{"domain may make ids of names", "internal/domain/run/a.go", "import \"github.com/google/uuid\"\nvar T = uuid.NewSHA1", ""},
		{"domain must not lock", "internal/domain/run/a.go", "import \"sync\"\nvar M sync.Mutex", "sync.Mutex"},
		{"domain may compute once", "internal/domain/run/a.go", "import \"sync\"\nvar M sync.Once", ""},
		{"domain must not start goroutines", "internal/domain/run/a.go", "func f() { go f() }", "a.go:2: go statement (rule: domain starts no goroutines)"},
		{"domain must not use channels", "internal/domain/run/a.go", "var c chan int", "channel"},
		{"the client may import generated code", "client/a.go", `import "` + own + `proto/api/v2"`, ""},
		{"the client must not import what others cannot", "client/a.go", `import "` + own + `internal/domain/run"`, "the client imports only generated code"},
		{"cmd may import the client", "cmd/server/a.go", `import "` + own + `client"`, ""},
		{"app must not import the client", "internal/app/route/a.go", `import "` + own + `client"`, "app imports only domain, ports"},
		{"ports may import domain", "internal/ports/a.go", `import "` + own + `internal/domain/run"`, ""},
		{"ports must not import app", "internal/ports/a.go", `import "` + own + `internal/app/ingest"`, "ports imports only domain"},
		{"ports must not know a driver", "internal/ports/a.go", `import "database/sql"`, "→ database/sql"},
		{"portstest may import cmp", "internal/ports/portstest/a.go", `import "github.com/google/go-cmp/cmp"`, ""},
		{"ports must not import cmp", "internal/ports/a.go", `import "github.com/google/go-cmp/cmp"`, "only the libraries listed"},
		{"ports must not import portstest", "internal/ports/a.go", `import "` + own + `internal/ports/portstest"`, "ports imports only domain"},
		{"app may import ports", "internal/app/route/a.go", `import "` + own + `internal/ports"`, ""},
		{"app may start goroutines", "internal/app/route/a.go", "func f() { go f() }", ""},
		{"app must not import adapters", "internal/app/route/a.go", `import "` + own + `internal/adapters/embedded"`, "internal/app/route → internal/adapters/embedded (rule: app imports only domain, ports)"},
		{"app must not speak HTTP", "internal/app/route/a.go", `import "net/http"`, "app does no I/O"},
		{"app must not import a driver", "internal/app/route/a.go", `import "github.com/labstack/echo/v4"`, "only the libraries listed"},
		{"adapters may import app", "internal/adapters/httpapi/a.go", `import "` + own + `internal/app/ingest"`, ""},
		{"adapters may import any library", "internal/adapters/httpapi/a.go", `import "github.com/labstack/echo/v4"`, ""},
		{"adapters may import their own parts", "internal/adapters/httpapi/a.go", `import "` + own + `internal/adapters/httpapi/auth"`, ""},
		{"adapters must not import each other", "internal/adapters/httpapi/a.go", `import "` + own + `internal/adapters/embedded"`, "adapters never import each other"},
		{"parts of adapters must not import each other", "internal/adapters/httpapi/auth/a.go", `import "` + own + `internal/adapters/embedded/codec"`, "adapters never import each other"},
		{"adapters may import what they share", "internal/adapters/sdkhttp/a.go", `import "` + own + `internal/adapters/httppool"`, ""},
		{"what adapters share must not import them", "internal/adapters/httppool/a.go", `import "` + own + `internal/adapters/sdkhttp"`, "what adapters share imports only domain, ports"},
		{"adapters must not import the root", "internal/adapters/httpapi/a.go", `import "` + arch.Module + `"`, "adapters imports only"},
		{"adapters must not import config", "internal/adapters/httpapi/a.go", `import "` + own + `internal/config"`, "adapters imports only"},
		{"adapters must not ship contract suites", "internal/adapters/embedded/a.go", `import "` + own + `internal/ports/portstest"`, "adapters imports only"},
		{"sim may import app", "internal/sim/a.go", `import "` + own + `internal/app/execute"`, ""},
		{"sim must not import adapters", "internal/sim/mem/a.go", `import "` + own + `internal/adapters/embedded"`, "sim imports only domain, ports, app"},
		{"the root may import adapters", "wire.go", `import "` + own + `internal/adapters/embedded"`, ""},
		{"cmd may import the root", "cmd/server/a.go", `import "` + arch.Module + `"`, ""},
		{"the root must not import cmd", "wire.go", `import "` + own + `cmd/server"`, "the root package imports only"},
		{"generated code imports nothing of ours", "proto/ingot/engine/v1/a.go", `import "` + own + `internal/domain/run"`, "generated code imports nothing of ours"},
		{"app must not import generated code", "internal/app/route/a.go", `import "` + own + `proto/ingot/engine/v1"`, "app imports only domain, ports"},
		{"a new kind of package needs a layer", "internal/util/a.go", "", "every package has a layer"},
		{"a new top directory needs a layer", "pkg/util/a.go", "", "every package has a layer"},
		{"tests may import anything", "internal/domain/run/a_test.go", `import "os"`, ""},
		{"testdata is not code", "internal/domain/run/testdata/a.go", `import "os"`, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			found := check(t, map[string]string{test.file: test.body})
			switch {
			case test.want == "" && len(found) > 0:
				t.Errorf("found %v in good code", found)
			case test.want != "" && (len(found) != 1 || !strings.Contains(found[0].String(), test.want)):
				t.Errorf("found %v, want one with %q", found, test.want)
			}
		})
	}
}

func TestCheck_GeneratedCodeHasOneAdapter(t *testing.T) {
	t.Parallel()
	const use = `import "` + arch.Module + `/proto/ingot/engine/v1"`
	good := map[string]string{"internal/adapters/embedded/a.go": use, "internal/adapters/embedded/codec/a.go": use}
	if found := check(t, good); len(found) > 0 {
		t.Errorf("found %v in good code", found)
	}
	good["internal/adapters/redis/a.go"] = use
	found := check(t, good)
	const want = "internal/adapters/redis/a.go: internal/adapters/embedded and internal/adapters/redis → proto/ingot/engine/v1 (rule: generated code is imported by one adapter)"
	if len(found) != 1 || found[0].String() != want {
		t.Errorf("found %v, want %s", found, want)
	}
}

func TestLoad_LeavesNestedModulesAlone(t *testing.T) {
	t.Parallel()
	packages, err := arch.Load(fstest.MapFS{
		"go.mod":      {Data: []byte("module m")},
		"a.go":        {Data: []byte("package a")},
		"test/go.mod": {Data: []byte("module t")},
		"test/b.go":   {Data: []byte("package b")},
		".cache/c.go": {Data: []byte("package c")},
	})
	if err != nil || len(packages) != 1 || packages[0].Dir != "" {
		t.Errorf("Load = %v, %v, want the root package alone", packages, err)
	}
}

func TestLoad_NamesTheFileThatCannotBeRead(t *testing.T) {
	t.Parallel()
	_, err := arch.Load(fstest.MapFS{"internal/broken.go": {Data: []byte("package")}})
	if err == nil || !strings.Contains(err.Error(), "parse internal/broken.go") {
		t.Errorf("Load error = %v, want one that names the file", err)
	}
}

func check(t *testing.T, files map[string]string) []arch.Violation {
	t.Helper()
	tree := fstest.MapFS{}
	for name, body := range files {
		tree[name] = &fstest.MapFile{Data: []byte("package fixture\n" + body)}
	}
	packages, err := arch.Load(tree)
	if err != nil {
		t.Fatal(err)
	}
	return arch.Check(packages)
}
