package agent

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/sealane/sealane/agent/host"
)

// TestBridgeDownIsToldOnce wants no word of routes about what a bridge that is down explains.
func TestBridgeDownIsToldOnce(t *testing.T) {
	subnet, zero := netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("0.0.0.0/0")
	away := host.Lookup{In: "eth0", Dst: netip.MustParseAddr("10.0.0.2"), To: []netip.Prefix{subnet}, Fate: host.FateSent, Device: "eth0", Route: zero, Table: 254}
	for _, up := range []bool{true, false} {
		v := &view{
			wish: host.Wish{Uplink: "eth0", Locals: []host.Local{{Prefix: subnet, Bridge: "docker0"}}},
			path: host.Path{
				Lookups: []host.Lookup{away},
				Links:   []host.Link{{Name: "eth0", There: true, Up: true, Forwarding: true}, {Name: "docker0", There: true, Up: up, Forwarding: true}},
			},
		}
		lost, _ := detours(v)
		if (len(lost) == 1) != up {
			t.Errorf("bridge up %t: %d detours", up, len(lost))
		}
		if !up {
			continue
		}
		if _, fix := describeDetour(lost[0], v); !strings.HasPrefix(fix, "ip route add 10.0.0.0/24 dev docker0") {
			t.Errorf("the cure is %q", fix)
		}
	}
}
