package controller

import (
	"fmt"
	"slices"

	"github.com/sealane/sealane/api"
)

// findings says what is not as it should be, beyond what the plan says of single routes.
// It is pure; the order is that of the snapshot.
func findings(snap api.Snapshot, hosts []api.Host, v view, config api.Config) []api.Finding {
	var out []api.Finding
	add := func(code api.Code, severity api.Severity, fix, format string, args ...any) {
		out = append(out, api.Finding{Code: code, Severity: severity, Text: fmt.Sprintf(format, args...), Fix: fix})
	}
	for _, u := range snap.Unreadable {
		add(api.FindingUnreadable, api.Warning, "correct or remove the record; until then nothing is deleted",
			"registry record %s cannot be read: %s", u.Key, u.Problem)
	}
	if err := config.Validate(); err != nil {
		add(api.FindingConfig, api.Failure, "correct the record config in the registry", "the configuration is not usable: %v", err)
	}
	if v.err != nil {
		add(api.FindingCloud, api.Failure, "", "the cloud could not be read: %v", v.err)
	}
	for _, h := range hosts {
		switch h.Life {
		case api.LifeSilent:
			add(api.FindingHostSilent, api.Warning, "see whether sealane-agent runs there and reaches etcd",
				"the agent of %s is not heard; its routes are kept", h.Label())
		case api.LifeStopped:
			add(api.FindingHostStopped, api.Warning, "start the instance, or take the host out of service",
				"%s is stopped; traffic to its containers is lost", h.Label())
		case api.LifeMissing:
			add(api.FindingHostMissing, api.Warning, "check the instance id and the account",
				"the cloud does not know %s; its routes are kept until that is certain", h.Label())
		default: // the others are as they should be, or said elsewhere
		}
	}
	out = append(out, passage(hosts, v, config)...)
	out = append(out, uncovered(v)...)
	return append(out, spoiled(v)...)
}

// uncovered says which vSwitches use a table that none of our hosts is on: what is there does
// not reach containers.
func uncovered(v view) []api.Finding {
	if len(v.tables) == 0 {
		return nil
	}
	var out []api.Finding
	for _, t := range v.network.Tables {
		var users []api.VSwitchID
		for _, s := range v.network.VSwitches {
			if s.Table == t.ID {
				users = append(users, s.ID)
			}
		}
		if len(users) == 0 || slices.Contains(v.tables, t.ID) {
			continue
		}
		out = append(out, api.Finding{
			Code: api.FindingTable, Severity: api.Warning,
			Text: fmt.Sprintf("table %s does not carry our routes: no host is on the vSwitches that use it (%s), and machines there do not reach containers", t.ID, join(users)),
			Fix:  "if they should, give these vSwitches a table that a host's vSwitch uses",
		})
	}
	return out
}

// restored says that the registry is older than the marks in the tables.
func restored(newest, revision int64) api.Finding {
	return api.Finding{
		Code: api.FindingRegistryOld, Severity: api.Failure,
		Text: fmt.Sprintf("a route was made at revision %d, and what the registry (now at %d) knows of its host is older: it was restored from a backup, or replaced; such routes are not taken from their hosts", newest, revision),
		Fix:  fmt.Sprintf("restart the agents, so that every host reports again; if that is all there is to know, accept the registry: sealane-controller configure --accept-generation %d", newest),
	}
}

// spoiled names entries that carry a mark of ours that does not fit: they are foreign, and
// left alone.
func spoiled(v view) []api.Finding {
	var out []api.Finding
	for _, r := range v.have {
		if r.Spoiled {
			out = append(out, api.Finding{
				Code: api.FindingSpoiledMark, Severity: api.Warning,
				Text: fmt.Sprintf("the entry %s (%s) carries a mark of sealane that was copied, edited, or sealed with another key: it is left alone", r, r.ID),
				Fix:  "remove the entry, or its mark; if another controller's key made it, give this one that key too",
			})
		}
	}
	return out
}
