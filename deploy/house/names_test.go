// Package house holds the code to rules of the house that no linter knows.
package house

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sharedNames is the most function names that may be declared in three or more packages. Such a
// name does not say what the function is about. Methods of an interface that several packages
// implement are the excuse for the few there are.
const sharedNames = 15

// common are names that the language and its library give to everybody.
const common = " main init New Run Close String Error Is Unwrap Equal "

func TestFunctionNames(t *testing.T) {
	packages := make(map[string]map[string]bool) // where each name is declared
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		switch dir := filepath.Base(filepath.Dir(path)); {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == ".git"):
			return fs.SkipDir
		case entry.IsDir(), !strings.HasSuffix(path, ".go"), strings.HasSuffix(path, "_test.go"), strings.HasSuffix(dir, "test"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && !strings.Contains(common, " "+f.Name.Name+" ") {
				if packages[f.Name.Name] == nil {
					packages[f.Name.Name] = make(map[string]bool)
				}
				packages[f.Name.Name][filepath.Dir(path)] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var shared []string
	for name, in := range packages {
		if len(in) >= 3 {
			shared = append(shared, fmt.Sprintf("%d %s: %s", len(in), name, strings.Join(slices.Sorted(maps.Keys(in)), " ")))
		}
	}
	slices.Sort(shared)
	slices.Reverse(shared)
	if len(shared) > sharedNames {
		t.Errorf("%d function names are declared in three or more packages, %d may be: rename, with a noun that says what about\n%s",
			len(shared), sharedNames, strings.Join(shared, "\n"))
	}
	if len(packages) < 500 {
		t.Errorf("only %d function names found", len(packages))
	}
}
