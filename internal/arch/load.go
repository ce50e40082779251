// Package arch holds the import rules of the project and checks them on its source.
//
// The layers, from the inside out:
//
//	domain ◄─ ports ◄─ app ◄─ adapters ◄─ the root package ◄─ cmd
//	                    ▲─ sim
//
// An arrow points at what may be imported. Domain is also pure: no I/O, no goroutines, no clock, no randomness. The
// rules hold for code that ships; test files may import what they like.
//
// The source is parsed, not built, so files behind build tags are checked too.
package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Package is the shipped part of one directory of Go files.
type Package struct {
	// Dir is the directory relative to the module's root, with slashes; "" is the root package.
	Dir   string
	Files []File
}

// File is one parsed source file.
type File struct {
	Name    string
	Imports []string
	Syntax  *ast.File
	fset    *token.FileSet
}

// Load parses every package of the module at the root of fsys, without test files, testdata, hidden directories and
// nested modules. Packages come in the order of their directories.
func Load(fsys fs.FS) ([]Package, error) {
	fset := token.NewFileSet()
	byDir := map[string]*Package{}
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("walk %s: %w", name, err)
		}
		if entry.IsDir() {
			if skipped(fsys, name, entry.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parse(fset, fsys, name)
		if err != nil {
			return err
		}
		dir := strings.TrimPrefix(path.Dir(name), ".")
		if byDir[dir] == nil {
			byDir[dir] = &Package{Dir: dir}
		}
		byDir[dir].Files = append(byDir[dir].Files, file)
		return nil
	})
	if err != nil {
		return nil, err
	}
	packages := make([]Package, 0, len(byDir))
	for _, pkg := range byDir {
		packages = append(packages, *pkg)
	}
	slices.SortFunc(packages, func(a, b Package) int { return strings.Compare(a.Dir, b.Dir) })
	return packages, nil
}

func skipped(fsys fs.FS, dir, base string) bool {
	if dir == "." {
		return false
	}
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "node_modules" {
		return true
	}
	_, err := fs.Stat(fsys, path.Join(dir, "go.mod"))
	return err == nil // a module of its own
}

func parse(fset *token.FileSet, fsys fs.FS, name string) (File, error) {
	source, err := fs.ReadFile(fsys, name)
	if err != nil {
		return File{}, fmt.Errorf("read %s: %w", name, err)
	}
	syntax, err := parser.ParseFile(fset, name, source, parser.SkipObjectResolution)
	if err != nil {
		return File{}, fmt.Errorf("parse %s: %w", name, err)
	}
	file := File{Name: name, Syntax: syntax, fset: fset}
	for _, spec := range syntax.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return File{}, fmt.Errorf("import %s in %s: %w", spec.Path.Value, name, err)
		}
		file.Imports = append(file.Imports, imported)
	}
	return file, nil
}
