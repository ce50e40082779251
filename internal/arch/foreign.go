package arch

import (
	"slices"
	"strings"
)

// pureModules are the libraries that domain, and with it every layer that speaks its types, may import: they compute
// and do nothing else.
var pureModules = []string{
	"cel.dev/cel-go",
	"github.com/Masterminds/semver/v3",
	"github.com/cespare/xxhash/v2",
	"github.com/go-json-experiment/json",
	"github.com/google/uuid",
	"github.com/oklog/ulid/v2",
	"github.com/robfig/cron/v3",
}

// extraModules are the libraries that other inner layers may import besides.
var extraModules = map[layer][]string{
	app:       {"github.com/hashicorp/golang-lru", "golang.org/x/sync"},
	portstest: {"github.com/google/go-cmp", "pgregory.net/rapid"},
	portsmock: {"go.uber.org/mock"},
	sim:       {"github.com/google/go-cmp", "pgregory.net/rapid"},
}

// impureStd are packages of the standard library that reach outside the process or decide by chance. A trailing slash
// means everything below.
var impureStd = map[layer][]string{
	domain: {
		"net", "net/http", "net/http/", "net/rpc", "net/rpc/", "net/smtp", "os", "os/", "database/sql", "database/sql/",
		"log", "log/", "math/rand", "crypto/rand", "syscall", "plugin", "runtime", "runtime/", "testing",
		"testing/", "io/ioutil", "expvar", "flag", "unsafe",
	},
	ports: {"net", "net/http", "net/http/", "os", "os/", "database/sql", "database/sql/", "math/rand", "math/rand/"},
	app: {
		"net", "net/http", "net/http/", "os", "os/", "database/sql", "database/sql/", "math/rand", "math/rand/",
		"crypto/rand", "syscall", "flag",
	},
	sim: {"net", "net/http", "net/http/", "database/sql", "database/sql/"},
}

// checkForeign returns the rule that an import from outside the module breaks, or "".
func checkForeign(from layer, imported string) string {
	first, _, _ := strings.Cut(imported, "/")
	if !strings.Contains(first, ".") {
		for _, denied := range impureStd[from] {
			if imported == denied || strings.HasSuffix(denied, "/") && strings.HasPrefix(imported, denied) {
				return string(from) + " does no I/O and has no chance in it: this comes as an argument or through a port"
			}
		}
		return ""
	}
	switch from {
	case domain, ports, portstest, portsmock, app, sim:
	default:
		return ""
	}
	for _, module := range slices.Concat(pureModules, extraModules[from]) {
		if imported == module || strings.HasPrefix(imported, module+"/") {
			return ""
		}
	}
	return string(from) + " imports only the libraries listed in internal/arch/foreign.go"
}
