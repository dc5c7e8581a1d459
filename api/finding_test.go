package api_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFindingsAreInTheManual: an operator who looks a code up must find its row, in the order
// of the codes.
func TestFindingsAreInTheManual(t *testing.T) {
	codes := func(file, pattern string) []string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			all = append(all, m[1])
		}
		return all
	}
	declared := codes("finding.go", `Code = "(SL-F\d{3})"`)
	if diff := cmp.Diff(declared, codes("../docs/findings.md", `(?m)^\| (SL-F\d{3}) \| .+ \| .+ \| .+ \|$`)); diff != "" {
		t.Errorf("docs/findings.md (-code +manual):\n%s", diff)
	}
	if len(declared) < 40 {
		t.Errorf("only %d codes found", len(declared))
	}
}
