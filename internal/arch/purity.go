package arch

import (
	"fmt"
	"go/ast"
	"slices"
	"strconv"
)

// impureNames are functions and types, by import path, that domain must not mention although it may import their
// package. They read the clock, draw random numbers, or share state between goroutines.
var impureNames = map[string][]string{
	"time":                     {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer", "Local"},
	"sync":                     {"Mutex", "RWMutex", "WaitGroup", "Cond", "NewCond", "Map"},
	"github.com/google/uuid":   {"New", "NewString", "NewRandom", "NewUUID", "NewV6", "NewV7"},
	"github.com/oklog/ulid/v2": {"Make", "Now", "DefaultEntropy", "MustNewDefault"},
	// A generator with a seed of its own is a function of the seed. What the package draws without one is chance.
	"math/rand/v2": {
		"Int", "Int32", "Int64", "IntN", "Int32N", "Int64N", "Uint", "Uint32", "Uint64", "UintN", "Uint32N", "Uint64N", "N",
		"Float32", "Float64", "ExpFloat64", "NormFloat64", "Perm", "Shuffle",
	},
}

// checkPurity finds goroutines, clocks and chance in a file of domain.
func checkPurity(file File) []Violation {
	names := localNames(file.Syntax)
	var found []Violation
	report := func(node ast.Node, what, rule string) {
		where := fmt.Sprintf("%s:%d", file.Name, file.fset.Position(node.Pos()).Line)
		found = append(found, Violation{where, what, rule})
	}
	ast.Inspect(file.Syntax, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.GoStmt:
			report(node, "go statement", "domain starts no goroutines")
		case *ast.SelectStmt, *ast.SendStmt, *ast.ChanType:
			report(node, "channel", "domain talks to no goroutines")
		case *ast.SelectorExpr:
			pkg, ok := node.X.(*ast.Ident)
			if ok && slices.Contains(impureNames[names[pkg.Name]], node.Sel.Name) {
				report(node, pkg.Name+"."+node.Sel.Name, "domain has no clock, no chance and no shared state: arguments carry them")
			}
		}
		return true
	})
	return found
}

// localNames maps the names that a file uses for its imports to their paths, as far as impureNames knows them.
func localNames(file *ast.File) map[string]string {
	names := map[string]string{}
	usual := map[string]string{"time": "time", "sync": "sync", "github.com/google/uuid": "uuid", "github.com/oklog/ulid/v2": "ulid", "math/rand/v2": "rand"}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // Load has refused it already
		}
		name := usual[imported]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if name != "" {
			names[name] = imported
		}
	}
	return names
}
