// Command cover holds a coverage profile against the project's limits: so much of internal/ in total, and so much of
// every single file of internal/domain. It prints a line per package and one per broken limit, and exits 1 when there
// is one.
//
//	go run ./internal/tools/cover coverage.out
//
// Generated files do not count, nor do the contract suites, which are tests themselves.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

const module = "github.com/ingothq/ingot/"

// errBelow says that a limit is broken; the details are printed already.
var errBelow = errors.New("coverage is below its limit")

// testCode holds the directories whose code only runs to test other code.
var testCode = []string{"internal/ports/portstest/", "internal/ports/portsmock/"}

var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// limits are percentages of statements.
type limits struct {
	total, domainFile float64
}

func main() {
	var want limits
	flag.Float64Var(&want.total, "total", 85, "percent of internal/ that tests must run")
	flag.Float64Var(&want.domainFile, "domain-file", 95, "percent of every file of internal/domain that tests must run")
	flag.Parse()
	if err := run(os.Stdout, os.DirFS("."), flag.Arg(0), want); err != nil {
		fmt.Fprintln(os.Stderr, "cover:", err)
		os.Exit(1)
	}
}

// run checks the profile at the path in tree, which is the module's root.
func run(out io.Writer, tree fs.FS, profile string, want limits) error {
	file, err := tree.Open(profile)
	if err != nil {
		return fmt.Errorf("open profile: %w", err)
	}
	defer func() { _ = file.Close() }()
	measured, err := readProfile(file)
	if err != nil {
		return fmt.Errorf("profile %s: %w", profile, err)
	}
	files, err := countable(tree, measured)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("profile %s says nothing about internal/", profile)
	}
	return report(out, files, want)
}

// countable drops the files that have no limit and names the others by their path in the tree.
func countable(tree fs.FS, measured map[string]fileCover) (map[string]fileCover, error) {
	files := map[string]fileCover{}
	for name, cover := range measured {
		name = strings.TrimPrefix(name, module)
		if !strings.HasPrefix(name, "internal/") || slices.ContainsFunc(testCode, func(dir string) bool { return strings.HasPrefix(name, dir) }) {
			continue
		}
		isGenerated, err := hasGeneratedHeader(tree, name)
		if err != nil {
			return nil, err
		}
		if !isGenerated {
			files[name] = cover
		}
	}
	return files, nil
}

func hasGeneratedHeader(tree fs.FS, name string) (bool, error) {
	file, err := tree.Open(name)
	if err != nil {
		return false, fmt.Errorf("open measured file: %w", err)
	}
	defer func() { _ = file.Close() }()
	head, err := bufio.NewReaderSize(file, 4096).Peek(4096) // the header comes before the package clause
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("read %s: %w", name, err)
	}
	return generated.Match(head), nil
}

// report prints the coverage of each package, then what is below its limit.
func report(out io.Writer, files map[string]fileCover, want limits) error {
	packages := map[string]fileCover{}
	var total fileCover
	var below []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		cover := files[name]
		add(&total, cover)
		sum := packages[path.Dir(name)]
		add(&sum, cover)
		packages[path.Dir(name)] = sum
		if strings.HasPrefix(name, "internal/domain/") && cover.percent() < want.domainFile {
			below = append(below, fmt.Sprintf("%s: %.1f%%, want at least %.1f%%", name, cover.percent(), want.domainFile))
		}
	}
	if total.percent() < want.total {
		below = append(below, fmt.Sprintf("internal/ in total: %.1f%%, want at least %.1f%%", total.percent(), want.total))
	}
	for _, dir := range slices.Sorted(maps.Keys(packages)) {
		_, _ = fmt.Fprintf(out, "%6.1f%%  %s\n", packages[dir].percent(), dir)
	}
	_, _ = fmt.Fprintf(out, "%6.1f%%  in total\n", total.percent())
	for _, line := range below {
		_, _ = fmt.Fprintln(out, "BELOW", line)
	}
	if len(below) > 0 {
		return errBelow
	}
	return nil
}

func add(sum *fileCover, more fileCover) {
	sum.statements += more.statements
	sum.covered += more.covered
}
