package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cmd/cli"
	"github.com/sealane/sealane/deploy/lab"
)

// The steps of the demo in which the cloud itself keeps packets back.

// showGroup starts agents and controller. Their routes alone do not help while the hosts'
// security group, which knows nothing of containers, drops what comes in.
func (d *demo) showGroup(ctx context.Context) error {
	if err := d.Launch(ctx); err != nil {
		return err
	}
	s, err := d.statusWhen(ctx, func(s api.Status) bool { return d.written(s) && hasFinding(s, api.FindingSecurityGroup) })
	if err != nil {
		return err
	}
	title := fmt.Sprintf("ROUTES, BUT NO RULE: the routes are written, and security group %s does not admit %s", lab.SecurityGroup, poolList(d.Inventory()))
	if err := d.report(title, d.Inventory().Check(ctx, time.Second), lab.Report.Silent); err != nil {
		return err
	}
	return d.showFinding(s, api.FindingSecurityGroup)
}

// showTogether lets the controller add the rule.
func (d *demo) showTogether(ctx context.Context) error {
	if err := d.manage(ctx, api.ManageSecurityGroup); err != nil {
		return err
	}
	if _, err := d.AwaitReady(ctx); err != nil {
		return err
	}
	return d.report("AFTER: the controller has added the rule to the security group", d.awaitSettled(ctx), sourcesKept)
}

// showCheck switches the source/destination check on at one host: the cloud then drops, without
// a word, what is not from or to the host's own address.
func (d *demo) showCheck(ctx context.Context) error {
	h := d.Inventory().Hosts[0]
	if err := d.CheckSources(h, true); err != nil {
		return err
	}
	alone := func(r lab.Report) bool { return cutOff(r, h) }
	patience, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, _ := d.Await(patience, alone) // the report tells whether it is
	title := fmt.Sprintf("SOURCE/DESTINATION CHECK ON at %s: packets from and to its container's address vanish", h.Name)
	if err := d.report(title, r, alone); err != nil {
		return err
	}
	if err := d.showMasqueraded(ctx, h); err != nil {
		return err
	}
	s, err := d.statusWhen(ctx, func(s api.Status) bool { return hasFinding(s, api.FindingSourceCheck) })
	if err != nil {
		return err
	}
	return d.showFinding(s, api.FindingSourceCheck)
}

// cutOff reports whether nothing is answered from or to a host's container, and all else is.
func cutOff(r lab.Report, h lab.Host) bool {
	return !slices.ContainsFunc(r.Pairs, func(p lab.Pair) bool {
		if p.From == h.Name || p.To == h.Name {
			return p.Ping || p.TCP
		}
		return !p.Ping || !p.TCP
	})
}

// showMasqueraded shows that the check lets pass what carries the host's own address.
func (d *demo) showMasqueraded(ctx context.Context, h lab.Host) error {
	err := d.ReachManager(ctx, h)
	if errors.Is(err, api.ErrUnsupported) {
		return nil
	}
	text := "it is answered"
	if err != nil {
		text = err.Error()
		d.wrong = append(d.wrong, text)
	}
	_, err = fmt.Fprintf(d.out, "The container of %s asks %s, which is in no pool, so that Docker masquerades it as %s: %s\n\n", h.Name, d.Manager(), h.IP, text)
	return err
}

// showCheckOff lets the controller switch the check off again.
func (d *demo) showCheckOff(ctx context.Context) error {
	if err := d.manage(ctx, api.ManageSecurityGroup, api.ManageSourceCheck); err != nil {
		return err
	}
	return d.report("CHECK OFF: the controller has switched it off", d.awaitSettled(ctx), sourcesKept)
}

// manage lets the controller open what it found closed.
func (d *demo) manage(ctx context.Context, what ...api.Manage) error {
	var names []string
	for _, w := range what {
		names = append(names, string(w))
	}
	list := strings.Join(names, ",")
	if _, err := fmt.Fprintf(d.out, "# sealane-controller configure --manage %s\n\n", list); err != nil {
		return err
	}
	return d.Configure(ctx, "--manage", list)
}

// sourcesKept is what every report should come to. One host has no pair, and so nothing to come to.
func sourcesKept(r lab.Report) bool { return r.SourcesKept() || len(r.Pairs) == 0 }

func hasFinding(s api.Status, code api.Code) bool {
	return slices.ContainsFunc(s.Findings, func(f api.Finding) bool { return f.Code == code })
}

// showFinding shows the first finding of a kind, as sealane status does.
func (d *demo) showFinding(s api.Status, code api.Code) error {
	for _, f := range s.Findings {
		if f.Code == code {
			return printSection(d.out, "FINDING", func(w io.Writer) { cli.PrintFindings(w, []api.Finding{f}) })
		}
	}
	d.wrong = append(d.wrong, fmt.Sprintf("no finding %s", code))
	return nil
}

func poolList(v lab.Inventory) string {
	var texts []string
	for _, p := range v.Pools {
		texts = append(texts, p.String())
	}
	return strings.Join(texts, ", ")
}
