package arch_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestWeaknesses_NamesTestsThatExist holds docs/weaknesses.md against the source: the table has every number of the
// specification once, each row says what shows it, and every test that the page names exists.
func TestWeaknesses_NamesTestsThatExist(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/weaknesses.md")
	if err != nil {
		t.Fatal(err)
	}
	tests, texts := testsOf(t, os.DirFS("../.."))
	rows, after := 0, ""
	seen := map[string]int{}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.ReplaceAll(strings.TrimSpace(line), `\|`, ""), " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) != 4 || strings.HasPrefix(line, "| # |") {
			if rows > 0 {
				after += line
			}
			continue
		}
		rows++
		for number := range strings.SplitSeq(strings.TrimPrefix(cells[0], "| "), ", ") {
			seen[number]++
		}
		proof := strings.TrimSuffix(cells[3], " |")
		if named := quoted(proof); len(named) == 0 && !strings.HasPrefix(proof, "later: ") && proof != "does not arise" {
			t.Errorf("%s names no test and does not say why: %s", cells[0], proof)
		} else if len(named) > 0 {
			missing(t, named, tests, texts)
		}
	}
	missing(t, quoted(after), tests, texts)
	var want []string
	for _, list := range []struct {
		letter string
		count  int
	}{{"E", 34}, {"P", 26}, {"X", 18}} {
		for n := range list.count {
			want = append(want, fmt.Sprint(list.letter, n+1))
		}
	}
	for _, number := range want {
		if seen[number] != 1 {
			t.Errorf("%s has %d rows", number, seen[number])
		}
	}
	if len(seen) != len(want) {
		t.Errorf("%d numbers, want %d", len(seen), len(want))
	}
}

// quoted are the texts between backquotes.
func quoted(text string) []string {
	var found []string
	for _, match := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	return found
}

// missing complains about names that are neither functions of tests nor cases of a contract suite.
func missing(t *testing.T, names []string, tests, texts []string) {
	t.Helper()
	for _, name := range names {
		known := texts
		if strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz") {
			known = tests
		}
		if !slices.Contains(known, name) {
			t.Errorf("there is no test %q", name)
		}
	}
}

// testsOf are the functions of all test files, and the texts that the contract suites hold, among them the names of their
// cases.
func testsOf(t *testing.T, tree fs.FS) (tests, texts []string) {
	t.Helper()
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if entry.IsDir() && name != "." && (strings.HasPrefix(base, ".") || base == "node_modules" || base == "testdata") {
			return fs.SkipDir
		}
		suite := strings.HasPrefix(name, "internal/ports/portstest/")
		if !strings.HasSuffix(base, "_test.go") && (!suite || !strings.HasSuffix(base, ".go")) {
			return nil
		}
		source, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil && !suite {
					tests = append(tests, n.Name.Name)
				}
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); suite && n.Kind == token.STRING && err == nil {
					texts = append(texts, text)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests, texts
}
