package source

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/nft"
)

// refusing is a system whose kernel does not take our table, for this reason.
type refusing struct {
	nft.System
	lacks, check error
	commands     []string
}

func (r *refusing) Generation() (uint32, error)  { return 1, r.lacks }
func (r *refusing) Tables() ([]nft.Found, error) { return nil, nil }
func (r *refusing) Installed() error             { return nil }
func (r *refusing) Command(_ context.Context, _ string, args ...string) ([]byte, error) {
	r.commands = append(r.commands, strings.Join(args, " "))
	return nil, r.check
}

// memory is an iptables with table nat of IPv4, and sets.
type memory struct {
	chains map[string][]string
	sets   map[string][]netip.Prefix
}

func (m *memory) Rules(_ context.Context, f host.Family, _, chain string) ([]string, bool, error) {
	rules, there := m.chains[chain]
	return rules, there && f == host.IPv4, nil
}

func (m *memory) Commit(_ context.Context, _ host.Family, _ string, lines []string, repairs ...host.Repair) (host.Step, error) {
	return host.Step{Repairs: repairs, Do: func(context.Context) error {
		for _, l := range lines {
			words := strings.Fields(l)
			switch chain := strings.TrimPrefix(words[min(1, len(words)-1)], ":"); words[0] {
			case "-A":
				m.chains[chain] = append(m.chains[chain], l)
			case "-I":
				m.chains[chain] = append([]string{strings.Replace(l, "-I POSTROUTING 1", "-A POSTROUTING", 1)}, m.chains[chain]...)
			case "-D":
				at := slices.Index(m.chains[chain], "-A"+strings.TrimPrefix(l, "-D"))
				m.chains[chain] = slices.Delete(m.chains[chain], at, at+1)
			case "-F":
				m.chains[chain] = nil
			case "-X":
				delete(m.chains, chain)
			default:
				m.chains[strings.TrimPrefix(words[0], ":")] = nil
			}
		}
		return nil
	}}, nil
}

func (m *memory) PlanSet(f host.Family, name string, want []netip.Prefix, _ bool) ([]host.Step, error) {
	if slices.Equal(m.sets[name+host.ByFamily(f, "", "6")], want) {
		return nil, nil
	}
	return []host.Step{host.NewStep(host.KindSet, name, "", func(context.Context) error {
		m.sets[name+host.ByFamily(f, "", "6")] = want
		return nil
	})}, nil
}

func (m *memory) RemoveSet(f host.Family, name string) ([]host.Step, error) {
	if _, there := m.sets[name+host.ByFamily(f, "", "6")]; !there {
		return nil, nil
	}
	return []host.Step{host.NewStep(host.KindSet, name, "", func(context.Context) error {
		delete(m.sets, name+host.ByFamily(f, "", "6"))
		return nil
	})}, nil
}

func (m *memory) Members(f host.Family, name string) ([]netip.Prefix, error) {
	return m.sets[name+host.ByFamily(f, "", "6")], nil
}

// TestRefused has kernels that take no table of ours, or none for now, and wants the chain
// called first whatever others put ahead of it.
func TestRefused(t *testing.T) {
	jump := "-A POSTROUTING -m comment --comment sealane -j SEALANE-SRC"
	for name, s := range map[string]*refusing{
		"no nf_tables":         {lacks: unix.EINVAL},
		"no NAT in nf_tables":  {check: fmt.Errorf("Error: Could not process rule: %w", unix.ENOENT)},
		"NAT of iptables only": {check: fmt.Errorf("Error: Could not process rule: %w", unix.EBUSY)},
	} {
		t.Run(name, func(t *testing.T) {
			m := &memory{chains: map[string][]string{"POSTROUTING": {"-A POSTROUTING -j MASQUERADE"}}, sets: map[string][]netip.Prefix{}}
			p := New(nft.New(s), m, m)
			w := host.Wish{Uplink: "eth0", KeepFrom: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}, Keep: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/24")}}
			bring := func(when string, want map[string][]string, repairs ...host.Kind) {
				t.Helper()
				steps, err := p.Plan(t.Context(), w)
				if err != nil {
					t.Fatal(err)
				}
				var have []host.Kind
				for _, s := range steps {
					if err := s.Do(t.Context()); err != nil {
						t.Error(err)
					}
					have = append(have, s.Repairs[0].Kind)
				}
				if diff := cmp.Diff(repairs, have); diff != "" {
					t.Errorf("%s repaired otherwise (-want +have):\n%s", when, diff)
				}
				if diff := cmp.Diff(want, m.chains); diff != "" {
					t.Errorf("%s (-want +have):\n%s", when, diff)
				}
			}
			ours := []string{keepAccept(host.IPv4)}
			placed := map[string][]string{"POSTROUTING": {jump, "-A POSTROUTING -j MASQUERADE"}, chainKeep: ours}
			bring("first", placed, host.KindSet, host.KindSet, host.KindSource)
			bring("again", placed)
			m.chains["POSTROUTING"] = append([]string{"-A POSTROUTING -j THEIRS"}, m.chains["POSTROUTING"]...)
			if kept, err := p.Kept(t.Context()); len(kept) > 0 || err != nil {
				t.Errorf("kept %v behind another rule, %v", kept, err)
			}
			bring("outranked", map[string][]string{"POSTROUTING": {jump, "-A POSTROUTING -j THEIRS", "-A POSTROUTING -j MASQUERADE"}, chainKeep: ours}, host.KindSource)
			if kept, err := p.Kept(t.Context()); !slices.Equal(kept, w.Keep) || err != nil {
				t.Errorf("kept %v, %v", kept, err)
			}
			m.chains[chainKeep] = nil
			bring("flushed", map[string][]string{"POSTROUTING": {jump, "-A POSTROUTING -j THEIRS", "-A POSTROUTING -j MASQUERADE"}, chainKeep: ours}, host.KindSource)
			way, why, err := p.Way(t.Context())
			if way != host.SourceChain || why == nil || err != nil {
				t.Errorf("way %q, since %v, %v", way, why, err)
			}
			w.Keep = nil
			bring("nothing to keep", map[string][]string{"POSTROUTING": {"-A POSTROUTING -j THEIRS", "-A POSTROUTING -j MASQUERADE"}}, host.KindSource, host.KindSet, host.KindSet)
			if len(s.commands) > 1 {
				t.Errorf("the kernel was asked more than once: %q", s.commands)
			}
		})
	}
	s := &refusing{check: fmt.Errorf("nft: %w", context.DeadlineExceeded)}
	if way, _, err := New(nft.New(s), nil, nil).Way(t.Context()); err == nil {
		t.Errorf("a moment's trouble decided for %q", way)
	}
}

// The one rule keeps what goes from our subnets to the others', not among our own.
func TestKeepRuleGoesFromLocalToRemote(t *testing.T) {
	for f, want := range map[host.Family]string{
		host.IPv4: "ip saddr @localnets ip daddr @remotenets snat to ip saddr",
		host.IPv6: "ip6 saddr @localnets ip6 daddr @remotenets snat to ip6 saddr",
	} {
		if got := keepTable(f, nil, nil).Chain.Rules[0]; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
