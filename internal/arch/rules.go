package arch

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Module is the path that own imports begin with.
const Module = "github.com/ingothq/ingot"

// Violation is one broken rule.
type Violation struct {
	// Where is the importing file, with a line where the rule is about a statement.
	Where string
	// What is the offending edge or statement.
	What string
	// Rule says what should be true instead.
	Rule string
}

func (v Violation) String() string { return fmt.Sprintf("%s: %s (rule: %s)", v.Where, v.What, v.Rule) }

// layer is a place in the architecture.
type layer string

const (
	root      layer = "the root package"
	cmd       layer = "cmd"
	domain    layer = "domain"
	ports     layer = "ports"
	portstest layer = "portstest"
	portsmock layer = "portsmock"
	app       layer = "app"
	adapter   layer = "adapters"
	shared    layer = "what adapters share"
	sim       layer = "sim"
	config    layer = "config"
	generated layer = "generated code"
	public    layer = "the client"
	tool      layer = "tools"
	program   layer = "tools that run the server"
	unknown   layer = "no layer"
)

// places maps directories to layers; the longest prefix wins.
var places = map[string]layer{
	"":    root,
	"cmd": cmd,
	// What others import, besides the generated code of the API.
	"client":           public,
	"bench":            tool,
	"internal":         unknown,
	"internal/arch":    tool,
	"internal/replay":  tool,
	"internal/testkit": tool,
	"internal/tools":   tool,
	// A program like those of cmd that does not ship, and so may be made of what tests are made of.
	"internal/tools/clockserver": program,
	"internal/config":            config,
	"internal/domain":            domain,
	"internal/ports":             ports,
	"internal/ports/portstest":   portstest,
	"internal/ports/portsmock":   portsmock,
	"internal/app":               app,
	"internal/adapters":          adapter,
	// Not for what an adapter could do alone: two must need it, and it must be no technology of its own.
	"internal/adapters/httppool": shared,
	"internal/sim":               sim,
	"proto":                      generated,
	"sql":                        generated,
}

// mayImport lists, per layer, the own layers that it may import besides its own packages.
var mayImport = map[layer][]layer{
	root:      {domain, ports, app, adapter, config},
	cmd:       {root, domain, ports, app, adapter, config, public},
	domain:    {},
	ports:     {domain},
	portstest: {domain, ports},
	portsmock: {domain, ports},
	app:       {domain, ports},
	adapter:   {domain, ports, app, generated, shared, public},
	public:    {generated},
	shared:    {domain, ports},
	sim:       {domain, ports, app},
	config:    {domain},
	generated: {},
	tool:      {},
	program:   {root, config, tool},
}

// layerOf returns the layer of a directory. A directory outside the table has none, on purpose: a new kind of package
// needs a decision, and the decision is a line in the table.
func layerOf(dir string) layer {
	for at := dir; ; {
		if found, ok := places[at]; ok && (at != "" || dir == "") {
			return found
		}
		cut := strings.LastIndexByte(at, '/')
		if cut < 0 {
			return unknown
		}
		at = at[:cut]
	}
}

// Check returns every broken rule, in the order of the packages.
func Check(packages []Package) []Violation {
	var found []Violation
	owners := map[string]map[string]string{} // generated directory → adapter → a file that imports it
	for _, pkg := range packages {
		from := layerOf(pkg.Dir)
		if from == unknown {
			found = append(found, Violation{pkg.Files[0].Name, "package in " + pkg.Dir, "every package has a layer in internal/arch/rules.go"})
			continue
		}
		for _, file := range pkg.Files {
			for _, imported := range file.Imports {
				found = append(found, checkImport(pkg.Dir, from, file, imported)...)
				if dir, own := ownDir(imported); own && from == adapter && layerOf(dir) == generated {
					if owners[dir] == nil {
						owners[dir] = map[string]string{}
					}
					owners[dir][adapterOf(pkg.Dir)] = file.Name
				}
			}
			if from == domain {
				found = append(found, checkPurity(file)...)
			}
		}
	}
	return append(found, checkOwners(owners)...)
}

func checkImport(dir string, from layer, file File, imported string) []Violation {
	edge := dir + " → " + strings.TrimPrefix(imported, Module+"/")
	target, own := ownDir(imported)
	if !own {
		if rule := checkForeign(from, imported); rule != "" {
			return []Violation{{file.Name, edge, rule}}
		}
		return nil
	}
	to := layerOf(target)
	switch {
	case from == adapter && to == adapter && adapterOf(dir) != adapterOf(target):
		return []Violation{{file.Name, edge, "adapters never import each other"}}
	case from == to, slices.Contains(mayImport[from], to):
		return nil
	}
	allowed := "nothing of ours"
	if list := mayImport[from]; len(list) > 0 {
		names := make([]string, len(list))
		for i, l := range list {
			names[i] = string(l)
		}
		allowed = "only " + strings.Join(names, ", ")
	}
	return []Violation{{file.Name, edge, fmt.Sprintf("%s imports %s", from, allowed)}}
}

// checkOwners finds generated packages that several adapters import.
func checkOwners(owners map[string]map[string]string) []Violation {
	var found []Violation
	for _, dir := range slices.Sorted(maps.Keys(owners)) {
		adapters := slices.Sorted(maps.Keys(owners[dir]))
		if len(adapters) < 2 {
			continue
		}
		found = append(found, Violation{
			owners[dir][adapters[1]], strings.Join(adapters, " and ") + " → " + dir,
			"generated code is imported by one adapter",
		})
	}
	return found
}

// ownDir returns the directory of an import of this module.
func ownDir(imported string) (dir string, own bool) {
	if imported == Module {
		return "", true
	}
	return strings.CutPrefix(imported, Module+"/")
}

// adapterOf returns the directory of the technology that a package under internal/adapters belongs to.
func adapterOf(dir string) string {
	parts := strings.SplitN(dir, "/", 4)
	return strings.Join(parts[:min(3, len(parts))], "/")
}
