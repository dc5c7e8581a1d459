package controller

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/sealane/sealane/api"
)

// The severity of a finding follows the traffic: it is a failure where packets between subnets
// surely die, or do so for a host that waits for its routes, and a warning where they pass, or
// where nobody can tell. All in this file is pure.

// allFindings are what is published with a decision: what was found, and what cloud and routes
// have come to.
func (d decision) allFindings(now time.Time) []api.Finding {
	out := append(slices.Clone(d.findings), writeFindings(d.routes)...)
	out = append(out, quotaFindings(d, now)...)
	if d.cloudErr != nil {
		out = append(out, readFinding(d, now))
	}
	return out
}

// recordFindings are about records of the registry, in the order of the snapshot.
func recordFindings(snap api.Snapshot, config api.Config) []api.Finding {
	var out []api.Finding
	for _, u := range snap.Unreadable {
		out = append(out, api.Finding{
			Code: api.FindingUnreadable, Severity: api.Warning,
			Text: fmt.Sprintf("registry record %s cannot be read: %s", u.Key, u.Problem),
			Fix:  "correct or remove the record; until then nothing is deleted",
		})
	}
	if err := config.Validate(); err != nil {
		out = append(out, api.Finding{
			Code: api.FindingConfig, Severity: api.Failure,
			Text: fmt.Sprintf("the configuration is not usable: %v", err), Fix: "correct the record config in the registry",
		})
	}
	return out
}

// lifeFindings are about hosts that are not simply alive.
func lifeFindings(hosts []api.Host) []api.Finding {
	var out []api.Finding
	for _, h := range hosts {
		f := api.Finding{Severity: api.Warning}
		switch h.Life {
		case api.LifeSilent: // what the host's kernel does goes on
			f.Code, f.Text = api.FindingHostSilent, fmt.Sprintf("the agent of %s is not heard; its routes are kept", h.Label())
			f.Fix = "see whether sealane-agent runs there and reaches etcd"
		case api.LifeStopped:
			f.Code, f.Text = api.FindingHostStopped, fmt.Sprintf("%s is stopped; traffic to its containers is lost", h.Label())
			f.Severity, f.Fix = api.Failure, "start the instance, or take the host out of service"
		case api.LifeMissing: // the cloud may have answered in part
			f.Code, f.Text = api.FindingHostMissing, fmt.Sprintf("the cloud does not know %s; its routes are kept until that is certain", h.Label())
			f.Fix = "check the instance id and the account"
		default: // the others are as they should be, or said elsewhere
			continue
		}
		out = append(out, f)
	}
	return out
}

// unreadTooLong is the age at which what was read of the cloud says little of the present.
const unreadTooLong = 10 * time.Minute

// readFinding says that the cloud could not be read, and how old that makes what is shown. It
// is a failure when a host waits because of it, when only a person can mend it, and when it
// lasts.
func readFinding(d decision, now time.Time) api.Finding {
	f := api.Finding{
		Code: api.FindingCloud, Severity: api.Warning,
		Fix: "nothing while it passes: routes that are there go on working, and the cloud is asked again",
	}
	age := now.Sub(d.cloudRead).Round(time.Second)
	if d.cloudRead.IsZero() {
		f.Text = fmt.Sprintf("the cloud could not be read: %v; it never was, as a whole", d.cloudErr)
	} else {
		f.Text = fmt.Sprintf("the cloud could not be read: %v; what is shown of it is %s old", d.cloudErr, age)
	}
	lasts := !d.cloudRead.IsZero() && age > unreadTooLong
	if errors.Is(d.cloudErr, api.ErrDenied) || lasts || d.hostsWait() {
		f.Severity, f.Fix = api.Failure, "mend the cause, see docs/faults.md: routes that are there go on working, and new ones wait"
	}
	return f
}

// hostsWait reports whether a host in service has a subnet that is neither refused nor written.
func (d decision) hostsWait() bool {
	if d.config.Policy == api.PolicyObserve {
		return false
	}
	type place struct {
		destination netip.Prefix
		host        api.InstanceID
	}
	settled := map[place]bool{}
	for _, r := range d.routes {
		settled[place{r.Destination, r.Host}] = r.Stage != api.StageWanted
	}
	for _, c := range d.plan.Conflicts {
		settled[place{c.Destination, c.Host}] = true
	}
	return slices.ContainsFunc(d.hosts, func(h api.Host) bool {
		return h.Life == api.LifeAlive && slices.ContainsFunc(h.Claims, func(c api.Claim) bool { return !settled[place{c.Prefix, h.Instance}] })
	})
}

// writeFindings says how many routes the cloud did not take, and why not the first.
func writeFindings(routes []api.RouteStatus) []api.Finding {
	var failed []string
	for _, r := range routes {
		for _, table := range slices.Sorted(maps.Keys(r.Tables)) {
			if in := r.Tables[table]; in.Stage == api.StageWanted && in.Reason == api.ReasonCloudError {
				failed = append(failed, fmt.Sprintf("%s in %s: %s", r.Destination, table, in.Detail))
			}
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return []api.Finding{{
		Code: api.FindingCloud, Severity: api.Failure,
		Text: fmt.Sprintf("routes that could not be written and are tried again: %d; the first is %s", len(failed), failed[0]),
	}}
}

// lastFindings are those of these codes that were published last.
func lastFindings(last *api.Pass, codes []api.Code) []api.Finding {
	if last == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(last.Findings), func(f api.Finding) bool { return !slices.Contains(codes, f.Code) })
}

// tableCodes are of findings that come of reading the network and its tables.
func tableCodes() []api.Code {
	return []api.Code{api.FindingTable, api.FindingSpoiledMark, api.FindingRegistryOld}
}

// gateCodes are of findings that come of reading instances.
func gateCodes() []api.Code {
	return []api.Code{api.FindingSourceCheck, api.FindingSecurityGroup, api.FindingVSwitch, api.FindingGatesUnread}
}

// tableFindings says which vSwitches use a table that none of our hosts is on: what is there does
// not reach containers.
func tableFindings(v view) []api.Finding {
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
			Text: fmt.Sprintf("table %s does not carry our routes: no host is on the vSwitches that use it (%s), and machines there do not reach containers", t.ID, textList(users)),
			Fix:  "if they should, give these vSwitches a table that a host's vSwitch uses",
		})
	}
	return out
}

// registryOld says that the registry is older than the marks in the tables. Packets to a host
// die when its route would have to be replaced.
func registryOld(newest, revision int64, p api.Plan) api.Finding {
	f := api.Finding{
		Code: api.FindingRegistryOld, Severity: api.Warning,
		Text: fmt.Sprintf("a route was made at revision %d, and what the registry (now at %d) knows of its host is older: it was restored from a backup, or replaced; such routes are not taken from their hosts", newest, revision),
		Fix:  fmt.Sprintf("restart the agents, so that every host reports again; if that is all there is to know, accept the registry: sealane-controller configure --accept-generation %d", newest),
	}
	if slices.ContainsFunc(p.Held, func(h api.Held) bool { return h.Reason == api.ReasonRegistryOld && h.Change.Verb != api.Delete }) {
		f.Severity = api.Failure
	}
	return f
}

// markFindings names routes that carry a mark of ours that does not fit: they are foreign, and
// left alone.
func markFindings(v view) []api.Finding {
	var out []api.Finding
	for _, r := range v.have {
		if r.Spoiled {
			out = append(out, api.Finding{
				Code: api.FindingSpoiledMark, Severity: api.Warning,
				Text: fmt.Sprintf("the route %s (%s) carries a mark of sealane that was copied, edited, or sealed with another key: it is left alone", r, r.ID),
				Fix:  "remove the route, or its mark; if another controller's key made it, give this one that key too",
			})
		}
	}
	return out
}
