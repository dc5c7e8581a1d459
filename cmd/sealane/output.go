package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sealane/sealane/api"
)

func (o *options) checkOutput() error {
	switch o.output {
	case "table", "json":
		return nil
	}
	return fmt.Errorf("--output %q: neither table nor json: %w", o.output, api.ErrUsage)
}

// print writes a document as JSON, or as the rows that table writes.
func (o *options) print(w io.Writer, doc any, table func(io.Writer)) error {
	if o.output == "json" {
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

func row(w io.Writer, cells ...any) {
	text := make([]string, len(cells))
	for i, c := range cells {
		text[i] = fmt.Sprint(c)
		if text[i] == "" {
			text[i] = "-"
		}
	}
	_, _ = fmt.Fprintln(w, strings.Join(text, "\t"))
}

// age is a duration as people say it: the two largest units are too much at 3 a.m.
func age(since, now time.Time) string {
	d := now.Sub(since)
	switch {
	case since.IsZero():
		return "-"
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

func hostRows(w io.Writer, hosts []api.HostStatus) {
	row(w, "INSTANCE", "NAME", "IP", "SUBNETS", "AGENT", "STATE", "WHY")
	for _, h := range hosts {
		var subnets []string
		for _, s := range h.Subnets {
			subnets = append(subnets, s.Prefix.String())
		}
		row(w, h.Instance, h.Name, h.IP, strings.Join(subnets, ","), h.Life, h.State, h.Why)
	}
}

func routeRows(w io.Writer, routes []api.RouteStatus, now time.Time) {
	row(w, "DESTINATION", "NEXT HOP", "STAGE", "TABLES", "SOURCE", "SINCE", "REASON")
	for _, r := range routes {
		written := 0
		for _, t := range r.Tables {
			if t.Stage != api.StageWanted {
				written++
			}
		}
		source := "masqueraded"
		if r.KeepSource {
			source = "kept"
		}
		row(w, r.Destination, r.Host, r.Stage, fmt.Sprintf("%d/%d", written, len(r.Tables)), source, age(r.Since, now), r.Reason)
	}
}

// findingLines come last and only when there are any: silence is good.
func findingLines(w io.Writer, findings []api.Finding) {
	for _, f := range findings {
		_, _ = fmt.Fprintf(w, "%s %s: %s\n", f.Code, f.Severity, f.Text)
		if f.Fix != "" {
			_, _ = fmt.Fprintf(w, "  fix: %s\n", f.Fix)
		}
	}
}
