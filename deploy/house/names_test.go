// Package house holds the code to rules of the house that no linter knows.
package house

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strings"
	"testing"
)

// sharedNames is the most function names that may be declared in three or more packages. Such a
// name does not say what the function is about. Methods of an interface that several packages
// implement are the excuse for the few there are.
const sharedNames = 14

// common are names that the language and its library give to everybody.
const common = " main init New Run Close String Error Is Unwrap Equal "

func TestFunctionNames(t *testing.T) {
	packages := make(map[string]map[string]bool) // where each name is declared
	for dir, files := range productFiles(t) {
		for _, path := range files {
			for _, name := range functionNames(t, path) {
				if packages[name] == nil {
					packages[name] = make(map[string]bool)
				}
				packages[name][dir] = true
			}
		}
	}
	var shared []string
	for name, in := range packages {
		if len(in) >= 3 {
			shared = append(shared, fmt.Sprintf("%2d %s: %s", len(in), name, strings.Join(slices.Sorted(maps.Keys(in)), " ")))
		}
	}
	slices.Sort(shared)
	slices.Reverse(shared)
	if len(shared) > sharedNames {
		t.Errorf("%d function names are declared in three or more packages, %d may be: rename, with a noun that says what the function is about, "+
			"or call the one that is there already\n%s", len(shared), sharedNames, strings.Join(shared, "\n"))
	}
	if len(packages) < 500 {
		t.Errorf("only %d function names found", len(packages))
	}
}

// functionNames returns the names of all functions and methods that a file declares, but for the
// common ones.
func functionNames(t *testing.T, path string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && !strings.Contains(common, " "+f.Name.Name+" ") {
			names = append(names, f.Name.Name)
		}
	}
	return names
}
