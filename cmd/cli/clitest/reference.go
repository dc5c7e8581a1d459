package clitest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sealane/sealane/cmd/cli"
)

var update = flag.Bool("update", false, "write the reference of the command's flags anew")

// CheckReference holds docs/reference/COMMAND.md, seen from the command's directory, to what the
// command says of itself. With -update it writes the file.
func CheckReference(t *testing.T, root *cobra.Command) {
	t.Helper()
	path := filepath.Join("..", "..", "docs", "reference", root.Name()+".md")
	want := reference(root)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the command says; write it anew: go test ./cmd/%s -run TestReference -update", path, root.Name())
	}
}

func reference(root *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Flags of %s\n\n", root.Name())
	fmt.Fprintf(&b, "Written by a test from the command itself: `go test ./cmd/%s -run TestReference -update`.\n"+
		"A flag wins over its environment variable, that over the default. `--help` of each command says more.\n", root.Name())
	writeCommand(&b, root)
	return b.String()
}

// writeCommand writes a command and what is below it, without what is hidden.
func writeCommand(b *strings.Builder, cmd *cobra.Command) {
	if cmd.Hidden {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n%s.\n", cmd.CommandPath(), cmd.Short)
	if cmd.Runnable() {
		fmt.Fprintf(b, "\n    %s\n", cmd.UseLine())
	}
	var rows strings.Builder
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) { rows.WriteString(flagRow(f)) })
	if rows.Len() > 0 {
		fmt.Fprintf(b, "\n| Flag | Variable | Default | Meaning |\n|---|---|---|---|\n%s", rows.String())
	}
	if cmd.HasAvailableInheritedFlags() {
		fmt.Fprintf(b, "\nBesides, the flags of `%s` above.\n", cmd.Root().Name())
	}
	for _, sub := range cmd.Commands() {
		writeCommand(b, sub)
	}
}

func flagRow(f *pflag.Flag) string {
	if f.Hidden || f.Name == "help" {
		return ""
	}
	kind, usage := pflag.UnquoteUsage(f)
	name := strings.TrimSpace("--" + f.Name + " " + kind)
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", " + name
	}
	return fmt.Sprintf("| `%s` | `%s` | %s | %s |\n", name, cli.Variable(f.Name), quoted(f.DefValue), strings.ReplaceAll(usage, "|", `\|`))
}

// quoted is a default as code; what is empty is left empty.
func quoted(value string) string {
	if value == "" || value == "[]" {
		return ""
	}
	return "`" + value + "`"
}
