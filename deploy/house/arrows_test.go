package house

import (
	"cmp"
	"fmt"
	"go/types"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/tools/go/packages"
)

const (
	arrowedFiles = 11 // the fewest files of a package whose arrows are judged
	backUp       = 15 // the share of arrows that may run back up, in percent
)

// TestFileArrows reads the arrows between the files of each package: one file uses a name that the
// other declares. In the best order of the files, from top to bottom, few arrows run back up;
// otherwise nobody can begin to read the package.
func TestFileArrows(t *testing.T) {
	loaded, err := packages.Load(&packages.Config{
		Dir:  "../..",
		Env:  append(os.Environ(), "GOOS=linux"), // much of the agent is for nothing else
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesInfo | packages.NeedImports,
	}, "./...")
	if err != nil {
		t.Fatal(err)
	}
	judged := 0
	for _, p := range loaded {
		if len(p.Errors) > 0 {
			t.Fatal(p.Errors)
		}
		if len(p.GoFiles) < arrowedFiles || len(p.GoFiles) > packageFiles {
			continue // the latter is told by TestSizes
		}
		judged++
		arrows := fileArrows(p)
		up, all := upArrows(arrows), 0
		for _, to := range arrows {
			all += bits.OnesCount(to)
		}
		text := fmt.Sprintf("%3d of %3d arrows, %2d %%, in %d files: %s", len(up), all, 100*len(up)/max(all, 1), len(p.GoFiles), p.PkgPath)
		t.Log(text)
		if 100*len(up) >= backUp*all {
			for _, a := range up {
				text += "\n  " + filepath.Base(p.GoFiles[a.from]) + " -> " + filepath.Base(p.GoFiles[a.to])
			}
			t.Errorf("%s\n%d %% run back up, less than %d %% may: move what is used to the file where it belongs", text, 100*len(up)/all, backUp)
		}
	}
	if judged < 5 {
		t.Errorf("only %d packages judged", judged)
	}
}

// fileArrows tells for each file of a package, as bits, the other files whose names it uses.
func fileArrows(p *packages.Package) []uint {
	arrows := make([]uint, len(p.GoFiles))
	for id, used := range p.TypesInfo.Uses {
		if used.Pkg() != p.Types || used.Pos() == 0 {
			continue
		}
		if f, ok := used.(*types.Func); ok {
			used = f.Origin()
		}
		from := slices.Index(p.GoFiles, p.Fset.Position(id.Pos()).Filename)
		to := slices.Index(p.GoFiles, p.Fset.Position(used.Pos()).Filename)
		if from >= 0 && to >= 0 && from != to {
			arrows[from] |= 1 << to
		}
	}
	return arrows
}

type arrow struct{ from, to int }

// upArrows returns the arrows that run back up in an order of files with the fewest of them, found
// from the best order of each set of files that may stand on top.
func upArrows(arrows []uint) []arrow {
	fewest := make([]int, 1<<len(arrows)) // with these files on top
	last := make([]int, 1<<len(arrows))   // and this one the lowest of them
	for top := uint(1); top < uint(len(fewest)); top++ {
		fewest[top] = len(arrows) * len(arrows)
		for f, uses := range arrows {
			above := top &^ (1 << f)
			if above == top {
				continue
			}
			if n := fewest[above] + bits.OnesCount(uses&above); n < fewest[top] {
				fewest[top], last[top] = n, f
			}
		}
	}
	var up []arrow
	for top := uint(len(fewest) - 1); top > 0; top &^= 1 << last[top] {
		for to := range arrows {
			if above := top &^ (1 << last[top]); above&arrows[last[top]]&(1<<to) != 0 {
				up = append(up, arrow{last[top], to})
			}
		}
	}
	slices.SortFunc(up, func(a, b arrow) int { return cmp.Or(a.from-b.from, a.to-b.to) })
	return up
}

func TestUpArrows(t *testing.T) {
	// The first uses the second and third, the second the third, the third the first, the fourth all.
	got := upArrows([]uint{0b0110, 0b0100, 0b0001, 0b0111})
	if want := []arrow{{from: 2, to: 0}}; !slices.Equal(got, want) {
		t.Errorf("%v run back up, want %v", got, want)
	}
}
