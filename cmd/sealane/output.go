package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cmd/cli"
)

func (o *options) checkOutput() error { return cli.CheckOutput(o.output) }

// print writes a document in the format that --output asks for.
func (o *options) print(w io.Writer, doc any, table func(io.Writer)) error {
	return cli.PrintDocument(w, o.output, doc, table)
}

// ageText is a duration as people say it: the two largest units are too much at 3 a.m.
func ageText(since, now time.Time) string {
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

func writeHosts(w io.Writer, hosts []api.HostStatus) {
	cli.PrintRow(w, "INSTANCE", "NAME", "IP", "SUBNETS", "AGENT", "STATE", "WHY")
	for _, h := range hosts {
		var subnets []string
		for _, s := range h.Subnets {
			subnets = append(subnets, s.Prefix.String())
		}
		cli.PrintRow(w, h.Instance, h.Name, h.IP, strings.Join(subnets, ","), h.Life, h.State, h.Why)
	}
}

func writeRoutes(w io.Writer, routes []api.RouteStatus, now time.Time) {
	cli.PrintRow(w, "DESTINATION", "NEXT HOP", "STAGE", "TABLES", "SOURCE", "SINCE", "REASON")
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
		cli.PrintRow(w, r.Destination, r.Host, r.Stage, fmt.Sprintf("%d/%d", written, len(r.Tables)), source, ageText(r.Since, now), r.Reason)
	}
}
