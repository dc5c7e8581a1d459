package house

import (
	"bytes"
	"os"
	"testing"
)

const (
	packageFiles = 16  // the most product files of a package
	fileLines    = 400 // the most lines of a file
)

func TestSizes(t *testing.T) {
	for dir, files := range productFiles(t) {
		if len(files) > packageFiles {
			t.Errorf("%s has %d files, %d may be: find the room that wants a package of its own", dir, len(files), packageFiles)
		}
		for _, path := range files {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(text, []byte("\n")); n > fileLines {
				t.Errorf("%s has %d lines, %d may be", path, n, fileLines)
			}
		}
	}
}
