package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/sealane/sealane/api"
)

// CheckOutput refuses a value of --output that is neither table nor json.
func CheckOutput(format string) error {
	switch format {
	case "table", "json":
		return nil
	}
	return fmt.Errorf("--output %q: neither table nor json: %w", format, api.ErrUsage)
}

// PrintDocument writes a document as JSON, or as the rows that table writes.
func PrintDocument(w io.Writer, format string, doc any, table func(io.Writer)) error {
	if format == "json" {
		text, err := json.MarshalIndent(doc, "", "  ")
		if err != nil {
			return fmt.Errorf("encode the answer: %w", err)
		}
		_, err = fmt.Fprintf(w, "%s\n", text)
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	table(tw)
	return tw.Flush()
}

// PrintRow writes one row of a table; an empty cell is a dash.
func PrintRow(w io.Writer, cells ...any) {
	text := make([]string, len(cells))
	for i, c := range cells {
		text[i] = fmt.Sprint(c)
		if text[i] == "" {
			text[i] = "-"
		}
	}
	_, _ = fmt.Fprintln(w, strings.Join(text, "\t"))
}

// PrintFindings writes findings, which come last and only when there are any: silence is good.
func PrintFindings(w io.Writer, findings []api.Finding) {
	for _, f := range findings {
		_, _ = fmt.Fprintf(w, "%s %s: %s\n", f.Code, f.Severity, f.Text)
		if f.Fix != "" {
			_, _ = fmt.Fprintf(w, "  fix: %s\n", f.Fix)
		}
	}
}
