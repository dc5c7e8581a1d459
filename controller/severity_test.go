package controller_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/cloudtest"
)

// severities are "CODE severity" of all findings, sorted.
func (s *site) severities() []string {
	s.t.Helper()
	all := []string{}
	for _, f := range s.status().Findings {
		if f.Code != api.FindingTable {
			all = append(all, string(f.Code)+" "+string(f.Severity))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// admit makes the hosts' group let these ranges in, on a port or on all.
func (s *site) admit(ports string, ranges ...string) {
	g := cloudtest.Group{ID: cloudtest.Basic}
	for _, r := range ranges {
		g.Rules = append(g.Rules, cloudtest.Rule{Peer: netip.MustParsePrefix(r), Ports: ports})
	}
	s.cloud.SetGroup(g)
}

// masked is a report of a host that cannot keep sources.
func (s *site) masked(id api.InstanceID, subnet string) {
	s.t.Helper()
	r := api.Report{
		Instance: id, VPC: s.world.Network.VPC, VSwitch: s.world.Network.VSwitches[0].ID, At: time.Now(),
		Readiness: api.Readiness{Forwarding: true, Rules: true}, Subnets: []api.Subnet{{Prefix: netip.MustParsePrefix(subnet), Bridge: "docker0"}},
		Findings: []api.Finding{{Code: api.FindingSourceMasked, Severity: api.Warning, Text: "no nft"}},
	}
	if _, err := s.registry.Report(s.t.Context(), r); err != nil {
		s.t.Fatal(err)
	}
}

// TestGatesFollowTheTraffic has a row for each thing that the cloud may do to packets between
// two hosts, and what is said of it.
func TestGatesFollowTheTraffic(t *testing.T) {
	const pool, vpc = "10.0.0.0/8", "192.168.0.0/16"
	mode := func(m api.SourceMode) func(*site) {
		return func(s *site) {
			c := *s.snapshotConfig()
			c.SourceMode = m
			s.configure(c)
		}
	}
	check := func(s *site) {
		i := s.world.Instances[0]
		i.SourceCheck = true
		s.cloud.AddInstance(i)
	}
	for _, test := range []struct {
		name     string
		do       func(*site)
		state    api.HostState // of the first host
		findings []string
	}{
		{"all is open", func(*site) {}, api.HostReady, nil},
		{"the check is on", func(s *site) { s.admit("", pool, vpc); check(s) }, api.HostDegraded, []string{"SL-F106 failure"}},
		{"the group admits nobody", func(s *site) { s.admit("") }, api.HostDegraded, []string{"SL-F107 failure"}},
		{"the group admits others", func(s *site) { s.admit("", "172.16.0.0/12") }, api.HostDegraded, []string{"SL-F107 failure"}},
		{"the group admits hosts, not containers", func(s *site) { s.admit("", vpc) }, api.HostReady, []string{"SL-F107 warning"}},
		{"the group admits one port of hosts", func(s *site) { s.admit("443/443", vpc) }, api.HostDegraded, []string{"SL-F107 failure"}},
		{"the group admits TCP of hosts", func(s *site) { s.admit("1/65535", vpc) }, api.HostReady, []string{"SL-F107 warning"}},
		{"the group admits containers, not hosts", func(s *site) { s.admit("", pool) }, api.HostReady, nil},
		{"the same, and hosts masquerade", func(s *site) { s.admit("", pool); mode(api.SourceMasquerade)(s) }, api.HostDegraded, []string{"SL-F107 failure"}},
		{"the group admits hosts, and they masquerade", func(s *site) { s.admit("", vpc); mode(api.SourceMasquerade)(s) }, api.HostReady, nil},
		{"containers are admitted, and one host must masquerade", func(s *site) { s.admit("", pool); check(s) }, api.HostDegraded, []string{"SL-F106 failure", "SL-F107 failure"}},
		{"the same of a host that says so", func(s *site) { s.admit("", pool); s.masked(two, "10.1.0.0/24") }, api.HostDegraded, []string{"SL-F107 failure"}},
		{"that host is reached itself", func(s *site) { s.admit("", pool); s.masked(one, "10.0.0.0/24") }, api.HostReady, []string{"SL-F107 failure"}},
		{"nothing goes out to containers", func(s *site) {
			s.cloud.SetGroup(cloudtest.Group{ID: cloudtest.Basic, Enterprise: true, Rules: []cloudtest.Rule{
				{Peer: netip.MustParsePrefix(pool)}, {Peer: netip.MustParsePrefix(vpc)}, {Peer: netip.MustParsePrefix(vpc), Egress: true},
			}})
		}, api.HostDegraded, []string{"SL-F107 failure"}},
		{"nobody can tell", func(s *site) {
			i := s.world.Instances[0]
			i.Unread, i.SourceCheck, i.Groups, i.Admits = true, true, nil, nil
			s.cloud.AddInstance(i)
		}, api.HostDegraded, []string{"SL-F115 warning"}},
		{"stopped", func(s *site) {
			i := s.world.Instances[0]
			i.Status = "Stopped"
			s.cloud.AddInstance(i)
		}, api.HostDegraded, []string{"SL-F104 failure"}},
		{"silent", func(s *site) { s.registry.Expire(one) }, api.HostDegraded, []string{"SL-F103 warning"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := start(t)
				s.report(one, "10.0.0.0/24")
				s.report(two, "10.1.0.0/24")
				test.do(s)
				s.after(time.Minute)
				h := s.host(one)
				if h.State != test.state || (h.Why == "") != (test.state == api.HostReady) {
					t.Errorf("%s: %s; want %s", h.State, h.Why, test.state)
				}
				if got := s.severities(); !slices.Equal(got, test.findings) {
					t.Errorf("findings %q, want %q", got, test.findings)
				}
			})
		})
	}
}

// A group that is closed harms nobody while there is nobody else.
func TestAClosedGroupOfOneHostIsAWarning(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.narrow()
		s.report(one, "10.0.0.0/24")
		if got := s.severities(); !slices.Equal(got, []string{"SL-F107 warning"}) || s.host(one).State != api.HostReady {
			t.Errorf("findings %q, %s", got, s.host(one).State)
		}
		s.report(two, "10.1.0.0/24")
		texts := s.finding(api.FindingSecurityGroup)
		if len(texts) != 2 || !strings.Contains(texts[0], "drops what containers of "+string(two)) {
			t.Errorf("findings %q", texts)
		}
	})
}

// Nobody's sources are kept where the cluster masquerades.
func TestMasqueradedSourcesAreNotCalledKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		for mode, kept := range map[api.SourceMode]bool{api.SourceKeep: true, api.SourceMasquerade: false} {
			c := *s.snapshotConfig()
			c.SourceMode = mode
			s.configure(c)
			s.after(time.Minute)
			if r := s.status().Routes; len(r) != 1 || r[0].KeepSource != kept {
				t.Errorf("%s: %+v", mode, r)
			}
		}
	})
}

// A pool that is given twice, or lies in another, is named once.
func TestAPoolIsNamedOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.narrow()
		c := *s.snapshotConfig()
		for _, pool := range []string{"10.0.0.0/16", "10.0.0.0/8", "10.0.0.0/8"} {
			c.Pools = append(c.Pools, netip.MustParsePrefix(pool))
		}
		s.configure(c)
		s.report(one, "10.0.0.0/24")
		if texts := s.finding(api.FindingSecurityGroup); len(texts) != 1 || strings.Count(texts[0], "SourceCidrIp") != 1 || strings.Contains(texts[0], "/16") {
			t.Errorf("findings %q", texts)
		}
	})
}

// Nobody is told to open a group for what is never routed.
func TestNoAdviceForWhatIsNeverRouted(t *testing.T) {
	for pool, subnet := range map[string]string{
		"192.168.0.0/16": "192.168.0.0/26", // inside a vSwitch
		"100.64.0.0/10":  "100.64.1.0/24",  // the cloud's own
	} {
		bubble(t, func(t *testing.T) {
			s := start(t)
			s.narrow()
			c := *s.snapshotConfig()
			c.Pools = []netip.Prefix{netip.MustParsePrefix(pool)}
			s.configure(c)
			s.report(one, subnet)
			if h := s.host(one); h.State != api.HostRefused {
				t.Errorf("%s: %s %s", subnet, h.State, h.Why)
			}
			if texts := s.finding(api.FindingSecurityGroup); len(texts) > 0 {
				t.Errorf("%s: %q", pool, texts)
			}
			if pool == "100.64.0.0/10" {
				return
			}
			s.report(one, "192.168.128.0/24") // now a part of the pool is used
			texts := s.finding(api.FindingSecurityGroup)
			if len(texts) != 1 || strings.Contains(texts[0], "192.168.0.0/16") || !strings.Contains(texts[0], "192.168.128.0/17") {
				t.Errorf("%s: %q", pool, texts)
			}
		})
	}
}

// A cloud that cannot be read for a moment is no failure while all routes are written; it is
// one when a host waits, and when it lasts.
func TestAnUnreadCloudFailsOnlyWhoWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		s.blind.set(network) // throttled
		s.after(2 * time.Minute)
		if got := s.severities(); !slices.Equal(got, []string{"SL-F102 warning"}) || s.host(one).State != api.HostReady {
			t.Errorf("traffic is fine: %q, %s", got, s.host(one).State)
		}
		if texts := s.finding(api.FindingCloud); len(texts) != 1 || !strings.Contains(texts[0], "what is shown of it is ") || !strings.Contains(texts[0], "go on working") {
			t.Errorf("the age is missing: %q", texts)
		}
		s.report(two, "10.1.0.0/24")
		s.after(time.Minute)
		if got := s.severities(); !slices.Equal(got, []string{"SL-F102 failure"}) {
			t.Errorf("a host waits: %q", got)
		}
		if h := s.host(two); h.State != api.HostPending || !strings.Contains(h.Why, "until the cloud can be read") {
			t.Errorf("%s: %s", h.State, h.Why)
		}
		s.blind.set()
		s.after(5 * time.Minute)
		if got := s.severities(); len(got) > 0 || s.host(two).State != api.HostReady {
			t.Errorf("it is over: %q, %s", got, s.host(two).State)
		}
		s.blind.set(network)
		s.after(15 * time.Minute)
		if got := s.severities(); !slices.Equal(got, []string{"SL-F102 failure"}) {
			t.Errorf("it lasts: %q", got)
		}
	})
}

// What a reading had shown stands until another one shows something else, under another leader
// too.
func TestNotKnowingIsNoNews(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		i := s.world.Instances[0]
		i.SourceCheck = true
		s.cloud.AddInstance(i)
		s.after(time.Minute)
		s.run("controller-2")
		s.blind.set(network)
		s.elector.lose()
		s.after(time.Minute)
		if got := s.severities(); !slices.Equal(got, []string{"SL-F102 warning", "SL-F106 failure"}) || s.host(one).State != api.HostDegraded {
			t.Errorf("findings %q, %s", got, s.host(one).State)
		}
		i.SourceCheck = false
		s.cloud.AddInstance(i)
		s.blind.set()
		s.after(5 * time.Minute)
		if got := s.severities(); len(got) > 0 || s.host(one).State != api.HostReady {
			t.Errorf("findings %q, %s", got, s.host(one).State)
		}
	})
}

// Denied is for a person to mend, for reads as for writes.
func TestDeniedIsAFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		s.cloud.Break(cloudtest.Faults{Denied: true})
		s.after(time.Minute)
		if got := s.severities(); !slices.Equal(got, []string{"SL-F102 failure"}) || s.host(one).State != api.HostReady {
			t.Errorf("findings %q, %s", got, s.host(one).State)
		}
	})
}

// A host that is gone stays so while the instances cannot be read, and gets no route back.
func TestGoneIsNotForgottenWhileNobodyCanTell(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		s.report(two, "10.1.0.0/24")
		s.registry.Expire(one)
		s.cloud.RemoveInstance(one)
		s.after(5 * time.Minute)
		s.want("a 10.1.0.0/24 2", "b 10.1.0.0/24 2")
		s.blind.set(instances)
		s.after(5 * time.Minute)
		s.want("a 10.1.0.0/24 2", "b 10.1.0.0/24 2")
		if h := s.host(one); h.State != api.HostGoneAway {
			t.Errorf("%s: %s", h.State, h.Why)
		}
		if got := s.severities(); !slices.Equal(got, []string{"SL-F102 warning"}) {
			t.Errorf("findings %q", got)
		}
	})
}
