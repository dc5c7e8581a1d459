package hosttest

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// Fake is a host in memory: sysctls, sets, chains and the table that keeps sources, with
// the same promises as the real one. It starts bare, without a bridge or Docker.
type Fake struct {
	mu      sync.Mutex // guards all below
	bridges []host.Bridge
	uplinks map[netip.Addr]string
	macs    map[string]string // of interfaces, by name
	peers   host.Peers
	forward bool
	sets    map[string][]netip.Prefix
	chains  map[string][]string // "filter/FORWARD"; a chain that is there has a value
	source  string              // the rules of the tables named sealane; empty without one
	kept    []netip.Prefix      // the destinations in them
	blocked host.Variant
	engine  host.Engine
	asked   error
	rules   firewall.Dump
	routes  []fakeRoute
	down    map[string]bool // links that are set down
	native  *host.Native    // Docker's own nft table
	open    bool            // the policy of FORWARD is ACCEPT
	ruled   bool            // Docker wrote its rules once
	settings
	memory   *former
	failures error
	watchers map[chan struct{}]bool
}

// former is what the fake remembers to put back.
type former struct {
	chains  map[string]bool // that were there before ours
	forward *bool           // nil until first looked at
	formerSettings
}

// NewFake returns a host with interface eth0 that carries ip, and forwarding off.
func NewFake(ip netip.Addr) *Fake {
	return &Fake{
		uplinks:  map[netip.Addr]string{ip: "eth0"},
		sets:     map[string][]netip.Prefix{},
		chains:   map[string][]string{},
		macs:     map[string]string{},
		watchers: map[chan struct{}]bool{},
	}
}

// Facts is what the host is like now.
func (f *Fake) Facts(_ context.Context, ip netip.Addr) (host.Facts, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, docker := f.chains["filter/DOCKER"]
	bridges := slices.Clone(f.bridges)
	for i, b := range bridges {
		at := slices.IndexFunc(f.engine.Networks, func(n host.Network) bool { return n.Bridge == b.Name })
		if at >= 0 && f.asked == nil {
			bridges[i].Network = &f.engine.Networks[at]
		}
	}
	bypassed := docker && !slices.Contains(f.chains["filter/FORWARD"], "-j DOCKER")
	return host.Facts{
		Bypassed: bypassed,
		Bridges:  bridges, Engine: f.engine, Asked: f.asked, Uplink: f.uplinks[ip], UplinkMAC: f.macs[f.uplinks[ip]], Forwarding: f.forward, Kept: slices.Clone(f.kept), Docker: docker,
		Variant: host.NFT, Default: host.NFT, Blocked: f.blocked, Shielded: f.shield, Open: f.open, Native: f.native, RulesOff: !f.ruled, ReversePath: f.reversePath(ip), Kernel: "6.1.0",
	}, nil
}

// Apply brings the fake to the wish.
func (f *Fake) Apply(_ context.Context, w host.Wish) host.Outcome {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := host.Outcome{Failures: map[host.Part]error{}}
	if f.failures != nil {
		for _, p := range host.Parts() {
			out.Failures[p] = f.failures
		}
		return out
	}
	part := host.PartRules
	done := func(k host.Kind, what string) {
		out.Repairs = append(out.Repairs, host.Repair{Kind: k, What: what, Part: part})
	}
	if f.memory == nil {
		f.memory = &former{chains: map[string]bool{}}
		for name := range f.chains {
			f.memory.chains[name] = true
		}
	}
	for _, part = range host.Parts() {
		switch {
		case slices.Contains(w.Leave, part):
		case part == host.PartRules && w.Uplink == "":
			out.Failures[part] = fmt.Errorf("no uplink: %w", api.ErrInvalid)
		case part == host.PartRules:
			f.applySets(w, done)
			f.applyChains(w, done)
		case part == host.PartSource && w.Uplink != "":
			f.applySource(w, done)
		case part == host.PartForwarding && w.Forward && (f.forward || !f.exposed()):
			f.applyForward(done)
			f.applyLinks(w, done)
		case part == host.PartReversePath && w.Uplink != "":
			f.applyFilter(done)
		case part == host.PartDropIn:
			f.applyFile(done)
		}
	}
	return out
}

func (f *Fake) applySets(w host.Wish, done func(host.Kind, string)) {
	peers := slices.Clone(w.Remotes)
	for _, p := range w.Peers {
		peers = append(peers, netip.PrefixFrom(p, p.BitLen()))
	}
	var locals []netip.Prefix
	for _, l := range w.Locals {
		locals = append(locals, l.Prefix)
	}
	for name, want := range map[string][]netip.Prefix{"sealane-local": locals, "sealane-peers": peers} {
		have, ok := f.sets[name]
		if w.Incomplete {
			want = append(want, have...)
		}
		slices.SortFunc(want, api.ComparePrefixes)
		want = slices.Compact(want)
		if !ok || !slices.Equal(have, want) {
			f.sets[name] = want
			done(host.KindSet, name)
		}
	}
}

func (f *Fake) applyChains(w host.Wish, done func(host.Kind, string)) {
	if _, ok := f.chains["filter/DOCKER-USER"]; !ok {
		f.chains["filter/DOCKER-USER"] = nil
		f.putFirst("filter/FORWARD", "-j DOCKER-USER")
		done(host.KindChain, "DOCKER-USER")
	}
	for chain, rules := range ourChains(w.Uplink) {
		if have, ok := f.chains[chain]; !ok || !slices.Equal(have, rules) {
			f.chains[chain] = rules
			done(host.KindChain, chain)
		}
	}
	for from, to := range map[string]string{"raw/PREROUTING": "SEALANE-RAW", "filter/DOCKER-USER": "SEALANE-FWD"} {
		if have := f.chains[from]; len(have) == 0 || have[0] != "-j "+to {
			f.putFirst(from, "-j "+to)
			done(host.KindJump, from)
		}
	}
	if !slices.Contains(f.chains["filter/FORWARD"], "-j SEALANE-FWD") {
		f.putFirst("filter/FORWARD", "-j SEALANE-FWD")
		done(host.KindJump, "filter/FORWARD")
	}
}

func ourChains(uplink string) map[string][]string {
	return map[string][]string{
		"raw/SEALANE-RAW": {
			"-i " + uplink + " src sealane-peers dst sealane-local -j ACCEPT",
			"-i " + uplink + " icmp dst sealane-local -j ACCEPT",
		},
		"filter/SEALANE-FWD": {
			"-i " + uplink + " src sealane-peers dst sealane-local -j ACCEPT",
			"-o " + uplink + " src sealane-local dst sealane-peers -j ACCEPT",
		},
	}
}

// putFirst makes a rule the first of a chain, wherever it was.
func (f *Fake) putFirst(chain, rule string) {
	rest := slices.DeleteFunc(slices.Clone(f.chains[chain]), func(r string) bool { return r == rule })
	f.chains[chain] = append([]string{rule}, rest...)
}

func (f *Fake) applyForward(done func(host.Kind, string)) {
	if f.memory.forward == nil {
		was := f.forward
		f.memory.forward = &was
	}
	if !f.forward {
		f.forwardAll(true)
		done(host.KindForwarding, "net.ipv4.ip_forward")
	}
}

// exposed reports whether strangers reach every port of containers once the host forwards.
func (f *Fake) exposed() bool {
	_, docker := f.chains["filter/DOCKER"]
	facts := host.Facts{Open: f.open, Shielded: f.shield, Docker: docker, Engine: f.engine, Asked: f.asked}
	return facts.Exposed()
}

func (f *Fake) applySource(w host.Wish, done func(host.Kind, string)) {
	var want []string
	var kept []netip.Prefix
	for _, v6 := range []bool{false, true} {
		other := func(p netip.Prefix) bool { return p.Addr().Is6() != v6 }
		from, to := slices.DeleteFunc(slices.Clone(w.KeepFrom), other), slices.DeleteFunc(slices.Clone(w.Keep), other)
		if len(from) > 0 && len(to) > 0 {
			want, kept = append(want, fmt.Sprintf("keep from %v to %v", from, to)), append(kept, to...)
		}
	}
	if text := strings.Join(want, ", "); f.source != text && (text != "" || !w.Incomplete) {
		f.source, f.kept = text, kept
		done(host.KindSource, text)
	}
}

// Restore puts everything back.
func (f *Fake) Restore(context.Context) ([]host.Repair, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var undone []host.Repair
	done := func(k host.Kind, what string) { undone = append(undone, host.Repair{Kind: k, What: what}) }
	f.applySource(host.Wish{}, done)
	for chain, rules := range f.chains {
		f.chains[chain] = slices.DeleteFunc(rules, func(r string) bool { return strings.Contains(r, "-j SEALANE-") })
	}
	for _, chain := range []string{"raw/SEALANE-RAW", "filter/SEALANE-FWD"} {
		if _, ok := f.chains[chain]; ok {
			delete(f.chains, chain)
			done(host.KindChain, chain)
		}
	}
	for name := range f.sets {
		delete(f.sets, name)
		done(host.KindSet, name)
	}
	if f.memory == nil {
		return undone, nil
	}
	f.dropMade()
	f.restoreSettings(done)
	f.memory, f.peers = nil, host.Peers{}
	return undone, nil
}

// dropMade takes away the chains that came with ours and that nobody uses.
func (f *Fake) dropMade() {
	_, docker := f.chains["filter/DOCKER"]
	if len(f.chains["filter/DOCKER-USER"]) == 0 && !docker && !f.memory.chains["filter/DOCKER-USER"] {
		delete(f.chains, "filter/DOCKER-USER")
		f.chains["filter/FORWARD"] = slices.DeleteFunc(f.chains["filter/FORWARD"], func(r string) bool { return r == "-j DOCKER-USER" })
	}
	for _, base := range []string{"raw/PREROUTING", "filter/FORWARD"} {
		if len(f.chains[base]) == 0 && !f.memory.chains[base] {
			delete(f.chains, base)
		}
	}
}

// Watch wakes on every change that others make, see SetBridge, Fail and Disturb.
func (f *Fake) Watch(ctx context.Context) <-chan struct{} {
	wake := make(chan struct{}, 1)
	f.mu.Lock()
	f.watchers[wake] = true
	f.mu.Unlock()
	context.AfterFunc(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.watchers, wake)
		close(wake)
	})
	return wake
}

// change makes a change and wakes those who watch.
func (f *Fake) change(how func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how()
	for wake := range f.watchers {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// String is the host as sorted text, one line each.
func (f *Fake) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "ip_forward %t\n%s", f.forward, f.lines())
	for _, name := range slices.Sorted(maps.Keys(f.sets)) {
		fmt.Fprintf(&b, "set %s %v\n", name, f.sets[name])
	}
	for _, chain := range slices.Sorted(maps.Keys(f.chains)) {
		fmt.Fprintf(&b, "chain %s\n", chain)
		for _, rule := range f.chains[chain] {
			fmt.Fprintf(&b, "  %s\n", rule)
		}
	}
	if f.source != "" {
		fmt.Fprintf(&b, "sealane %s\n", f.source)
	}
	return b.String()
}

// Rules are those that SetRules gave, which drop nothing to begin with.
func (f *Fake) Rules(context.Context) (firewall.Dump, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rules, nil
}
