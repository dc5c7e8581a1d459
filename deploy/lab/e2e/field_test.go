package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/client"
	"github.com/sealane/sealane/deploy/lab"
)

// field is an input as it is met on real hosts: what somebody does to host 1 of a running
// cluster of three, and what must be said of it while it lasts.
type field struct {
	name     string
	do       string                          // a shell's, on host 1; FIELD is the directory of its files
	act      func(*testing.T, *cluster)      // in place of do, where a shell on host 1 is not enough
	undo     string                          // takes it back
	unact    func(*testing.T, *cluster)      // in place of undo
	traffic  traffic                         // what packets do meanwhile
	ready    bool                            // whether the host is ready meanwhile
	findings []string                        // what the host or the cluster is told to have, "CODE severity", each once
	tells    []string                        // texts of these findings hold each of these
	doctor   []string                        // what doctor prints holds each of these
	asks     func(*testing.T, *cluster, ran) // further looks while it lasts
}

// traffic is what packets between host 1 and the others do.
type traffic string

const (
	allPass  traffic = "all pass"
	someDie  traffic = "some die"
	allDie   traffic = "all die"
	unlooked traffic = "not looked at"

	nobodyPasses traffic = "all die, and all between the others"
)

// TestField does to a host what the field does to hosts, one after the other, and holds what
// is said against what packets do: state and severities, the exit codes of status, wait and
// doctor. What is not changed any more leaves the host and etcd idle, and once it is undone
// all is as before.
func TestField(t *testing.T) {
	needDocker(t)
	need(t, "nft", "ipset", "docker", "iptables")
	same := watchMachine(t, "e2efield")
	c := startField(t)
	for _, f := range fields() {
		t.Run(f.name, func(t *testing.T) { f.run(t, c) })
	}
	if err := c.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	same()
}

func startField(t *testing.T) *cluster {
	t.Helper()
	l, err := lab.Up(t.Context(), lab.Options{
		Name: "e2efield", Hosts: 3, Engine: lab.EngineDocker, Out: t.Output(), BinDir: program(""), Outsider: true,
		Pools: []netip.Prefix{prefix("10.0.0.0/8")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Down(context.Background()); err != nil {
			t.Error(err)
		}
	})
	reader, err := client.New(l.Inventory().API)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{Lab: l, api: reader, life: t.Context()}
	if _, err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.reachable(t)
	c.calm(t)
	return c
}

func (f field) run(t *testing.T, c *cluster) {
	h := c.host(t, 1)
	undo := sync.OnceFunc(func() {
		if f.unact != nil {
			f.unact(t, c)
		} else if f.undo != "" {
			c.shell(t, h, f.undo)
		}
	})
	t.Cleanup(undo)
	if f.act != nil {
		f.act(t, c)
	} else {
		c.shell(t, h, f.do)
	}
	f.told(t, c, h)
	f.passes(t, c)
	c.idle(t, h, f.name)
	f.told(t, c, h)
	doctor := c.doctor(t, h)
	f.codes(t, c, doctor)
	for _, want := range f.doctor {
		if !strings.Contains(doctor.out, want) {
			t.Errorf("doctor does not print %q:\n%s%s", want, doctor.out, doctor.err)
		}
	}
	if f.asks != nil {
		f.asks(t, c, doctor)
	}
	undo()
	c.calm(t)
}

// told waits until the cluster says of host 1 what it must.
func (f field) told(t *testing.T, c *cluster, h lab.Host) {
	t.Helper()
	var s api.Status
	eventually(t, 30*time.Second, fmt.Sprintf("ready %t, findings %v", f.ready, f.findings), func() bool {
		s = c.status(t)
		host := hostStatus(s, h.Instance)
		return (host.State == api.HostReady) == f.ready && slices.Equal(codesOf(s, host), f.findings)
	}, func() any {
		host := hostStatus(s, h.Instance)
		return fmt.Sprintf("%s (%s): %v\n%+v\n%+v", host.State, host.Why, codesOf(s, host), host.Findings, s.Findings)
	})
	texts := fmt.Sprintf("%+v", append(slices.Clone(hostStatus(s, h.Instance).Findings), s.Findings...))
	for _, want := range f.tells {
		if !strings.Contains(texts, want) {
			t.Errorf("the findings do not say %q: %s", want, texts)
		}
	}
}

// codesOf are the findings of a host and of the cluster, without those that are info.
func codesOf(s api.Status, h api.HostStatus) []string {
	all := []string{}
	for _, f := range append(slices.Clone(h.Findings), s.Findings...) {
		if f.Severity != api.Info {
			all = append(all, fmt.Sprintf("%s %s", f.Code, f.Severity))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// passes holds what packets do against what the case says they do, once that is so: what
// is mended is mended a moment after it was broken.
func (f field) passes(t *testing.T, c *cluster) {
	t.Helper()
	if f.traffic == unlooked {
		return
	}
	var r lab.Report
	eventually(t, 15*time.Second, fmt.Sprintf("%s; between the others all pass, unless nobody does", f.traffic), func() bool {
		r = c.Inventory().Check(t.Context(), time.Second)
		dead, concerned := 0, 0
		for _, p := range r.Pairs {
			lost := !p.Ping || !p.TCP
			if p.From != "host1" && p.To != "host1" {
				if lost != (f.traffic == nobodyPasses) {
					return false
				}
				continue
			}
			if concerned++; lost {
				dead++
			}
		}
		return map[traffic]bool{allPass: dead == 0, allDie: dead == concerned, nobodyPasses: dead == concerned, someDie: 0 < dead && dead < concerned}[f.traffic]
	}, func() any { return fmt.Sprintf("%+v", r.Pairs) })
}

// codes holds the exit codes of status, wait and doctor against the case.
func (f field) codes(t *testing.T, c *cluster, doctor ran) {
	t.Helper()
	failing := slices.ContainsFunc(f.findings, func(s string) bool { return strings.HasSuffix(s, string(api.Failure)) })
	status, wait := sealane(t, c, "status"), sealane(t, c, "wait", "--timeout", "1s")
	if want := map[bool]int{true: api.ExitDegraded, false: api.ExitOK}[failing || !f.ready]; status.code != want {
		t.Errorf("status says %d, want %d:\n%s%s", status.code, want, status.out, status.err)
	}
	if (wait.code == api.ExitOK) != f.ready {
		t.Errorf("wait says %d: %s%s", wait.code, wait.out, wait.err)
	}
	if len(f.doctor) > 0 {
		return // it may know more, or less, than the cluster
	}
	if want := map[bool]int{true: api.ExitOK, false: api.ExitDegraded}[len(f.findings) == 0]; doctor.code != want {
		t.Errorf("doctor says %d, want %d:\n%s%s", doctor.code, want, doctor.out, doctor.err)
	}
}

// idle wants nobody to write to etcd or to host 1 once nothing changes any more: a window
// without a write must come, and a resync may fall into it.
func (c *cluster) idle(t *testing.T, h lab.Host, during string) {
	t.Helper()
	const window, tolerated = 3 * time.Second, 1
	revision, repairs := int64(0), 0
	var quietSince time.Time
	eventually(t, 20*time.Second, during+": nothing is written any more", func() bool {
		nowRevision, nowRepairs := c.status(t).Registry.Revision, strings.Count(c.agentLog(t, h), "host changed")
		if nowRevision > revision+tolerated || nowRepairs > repairs {
			revision, repairs, quietSince = nowRevision, nowRepairs, time.Now()
		}
		return time.Since(quietSince) > window
	}, func() any {
		return fmt.Sprintf("revision %d, %d changes of the host\n%s", revision, repairs, tail(c.agentLog(t, h), 20))
	})
}

// calm waits until all is well: everything reachable, from its own address, and nothing said.
func (c *cluster) calm(t *testing.T) {
	t.Helper()
	var s api.Status
	eventually(t, time.Minute, "every host is ready and nothing is said", func() bool {
		s = c.status(t)
		for _, h := range s.Hosts {
			if h.State != api.HostReady || len(codesOf(s, h)) > 0 {
				return false
			}
		}
		return len(s.Hosts) == 3
	}, func() any { return fmt.Sprintf("%+v %+v", s.Hosts, s.Findings) })
	ownSource(t, c)
}

// shell runs a script on a host, also while a test ends.
func (c *cluster) shell(t *testing.T, h lab.Host, script string) {
	t.Helper()
	dir, err := filepath.Abs("testdata/field")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(c.life, "sh", "-ec", "FIELD="+dir+"\n"+script)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := c.Inventory().Run(h, cmd); err != nil {
		t.Errorf("%s on %s: %v\n%s", script, h.Name, err, out.String())
	}
}

// doctor runs the agent's doctor on a host.
func (c *cluster) doctor(t *testing.T, h lab.Host, more ...string) ran {
	t.Helper()
	script := `"$@"; echo "exit code $?"`
	argv := append([]string{"sh", "-c", script, "sh", program("sealane-agent"), "doctor"}, c.AgentFlags(h)...)
	out := c.on(t, h, append(argv, more...)...)
	var r ran
	at := strings.LastIndex(out, "exit code ")
	if _, err := fmt.Sscanf(out[at:], "exit code %d", &r.code); err != nil {
		t.Fatalf("doctor: %v\n%s", err, out)
	}
	r.out = out[:at]
	return r
}

func (c *cluster) agentLog(t *testing.T, h lab.Host) string {
	t.Helper()
	log, err := os.ReadFile(fmt.Sprintf("/run/sealane-lab/e2efield/logs/agent-h%d.log", h.Index))
	if err != nil {
		t.Fatal(err)
	}
	return string(log)
}

func tail(text string, n int) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
