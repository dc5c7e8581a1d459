package mark

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/nft"
	"github.com/sealane/sealane/agent/host/state"
)

// fakeSystem is a system with these tables, whose rules nobody asks for.
type fakeSystem struct {
	nft.System
	tables []nft.Found
}

func (k fakeSystem) Generation() (uint32, error)  { return 1, nil }
func (k fakeSystem) Tables() ([]nft.Found, error) { return k.tables, nil }
func (k fakeSystem) Command(context.Context, string, ...string) ([]byte, error) {
	return []byte(`{"nftables": []}`), nil
}

// fakeEngine is what is known of Docker.
type fakeEngine struct{ guarded, direct, inIPTables bool }

func (e fakeEngine) Guarded() bool                            { return e.guarded }
func (e fakeEngine) Reset() bool                              { return false }
func (e fakeEngine) Direct() bool                             { return e.direct }
func (e fakeEngine) InIPTables(context.Context) (bool, error) { return e.inIPTables, nil }

func TestText(t *testing.T) {
	m := marking{uplink: "eth0", mark: 0x10000, mask: 0x10000, from: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/24")}, to: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}}
	text := m.table(host.IPv4, []host.Local{{Prefix: m.to[0], Bridge: "docker0"}}).Text()
	for _, want := range []string{
		"type filter hook prerouting priority -150; policy accept;",
		`iifname "eth0" ip saddr @remotenets ip daddr @localnets meta mark set meta mark & 0xfffeffff | 0x10000 accept comment "sealane `,
		`iifname != "docker0" ip daddr 10.0.0.0/24 fib daddr type != local ct state invalid,new drop comment "sealane `,
		"set localnets { type ipv4_addr; flags interval; elements = { 10.0.0.0/24 }; }",
		"set remotenets { type ipv4_addr; flags interval; elements = { 10.1.0.0/24 }; }",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// TestLeave decides what becomes of a guard that is remembered, by what is known of Docker.
func TestLeave(t *testing.T) {
	guard := host.Local{Prefix: netip.MustParsePrefix("10.0.0.0/24"), Bridge: "br-gone"}
	there := []nft.Found{{ID: nft.ID{Family: "ip", Name: TableName}}}
	for _, tt := range []struct {
		name   string
		engine fakeEngine
		docker firewall.DockerTable
		tables []nft.Found
		want   string // words of the commands; empty: nothing is done
	}{
		{name: "all flushed, and nothing known of Docker", want: `iifname != "br-gone" ip daddr 10.0.0.0/24`},
		{name: "all flushed, Docker's options kept", engine: fakeEngine{direct: true, inIPTables: true}, want: `iifname != "br-gone" ip daddr 10.0.0.0/24`},
		{name: "all flushed, our options", engine: fakeEngine{guarded: true}, want: "meta mark & 0xfffeffff | 0x10000"},
		{name: "Docker's table gone, ours there", tables: there},
		{name: "Docker went to iptables", engine: fakeEngine{inIPTables: true}, tables: there, want: "nft delete table ip sealane-mark"},
		{name: "Docker closes by itself again", docker: firewall.DockerTable{Present: true}, tables: there, want: "nft delete table ip sealane-mark"},
		{name: "Docker is there without that bridge", engine: fakeEngine{direct: true}, docker: firewall.DockerTable{Present: true}, tables: there, want: "nft delete table ip sealane-mark"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := state.New(t.TempDir())
			p := New(store, nft.New(fakeSystem{tables: tt.tables}), func(context.Context) (firewall.DockerTable, error) { return tt.docker, nil }, tt.engine)
			if err := store.Recall(); err != nil {
				t.Fatal(err)
			}
			before := memory{Guards: []host.Local{guard}, Mark: 0x10000, Mask: 0x10000}
			if err := p.record.Remember(func(m *memory) { *m = before }); err != nil {
				t.Fatal(err)
			}
			steps, err := p.Leave(t.Context(), host.Wish{Uplink: "eth0", Locals: []host.Local{guard}})
			if err != nil {
				t.Fatal(err)
			}
			var commands []string
			for _, s := range steps {
				commands = append(commands, s.Command)
			}
			have := strings.Join(commands, "\n")
			if !strings.Contains(have, tt.want) || tt.want == "" && len(steps) > 0 {
				t.Errorf("%q, want %q in it", have, tt.want)
			}
		})
	}
}
