package api_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFindingsAreInTheManual: an operator who looks a code up must find it.
func TestFindingsAreInTheManual(t *testing.T) {
	codes := func(file string) []string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(`SL-F\d{3}`).FindAllString(string(text), -1)
		slices.Sort(found)
		return slices.Compact(found)
	}
	if diff := cmp.Diff(codes("finding.go"), codes("../docs/findings.md")); diff != "" {
		t.Errorf("docs/findings.md (-code +manual):\n%s", diff)
	}
}
