package agent_test

import (
	"net/netip"
	"testing"

	"github.com/sealane/sealane/api"
)

// pools gives the cluster these pools.
func (b *bench) pools(pools ...string) {
	b.t.Helper()
	config := api.DefaultConfig()
	for _, p := range pools {
		config.Pools = append(config.Pools, netip.MustParsePrefix(p))
	}
	if err := b.registry.PutConfig(b.t.Context(), config); err != nil {
		b.t.Fatal(err)
	}
	b.settle()
}

// IPv6 is reported, and let through, where a pool is IPv6.
func TestIPv6FollowsThePools(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24", "fd10::1/64")
		b.other("i-b", "192.168.0.2", "fd10:0:0:1::/64")
		b.registry.Alive("i-b")
		b.start()
		b.wantSubnets("10.0.0.0/24")
		b.wantHost("set sealane-local [10.0.0.0/24]", "no fd10")

		b.pools("10.0.0.0/8", "fd10::/32")
		b.wantSubnets("10.0.0.0/24", "fd10::/64")
		b.wantHost("set sealane-local [10.0.0.0/24 fd10::/64]", "set sealane-peers [192.168.0.2/32 fd10:0:0:1::/64]")

		b.publish(api.StageWritten, true, map[string]api.InstanceID{"fd10::/64": "i-a", "fd10:0:0:1::/64": "i-b", "10.0.0.0/24": "i-a"})
		b.wantHost("keep from [fd10::/64] to [fd10:0:0:1::/64]", "no keep from [10.0.0.0/24")

		b.registry.Garble("config", false) // which is no news of the pools
		b.settle()
		b.wantSubnets("10.0.0.0/24", "fd10::/64")
		b.wantHost("set sealane-local [10.0.0.0/24 fd10::/64]")

		b.pools("10.0.0.0/8")
		b.wantSubnets("10.0.0.0/24")
		b.wantHost("set sealane-local [10.0.0.0/24]", "no fd10")
	})
}

// A bridge that loses its address of one family keeps that claim, whatever it has of the other.
func TestFamiliesAreLostApart(t *testing.T) {
	onBench(t, func(b *bench) {
		b.pools("10.0.0.0/8", "fd10::/32")
		b.host.SetBridge("docker0", "10.0.0.1/24", "fd10::1/64")
		b.start()
		for _, tt := range []struct{ left, text string }{
			{"fd10::1/64", "docker0 has no IPv4 address: Docker gives it one when it starts; its claim to 10.0.0.0/24 is kept"},
			{"10.0.0.1/24", "docker0 has no IPv6 address: Docker gives it one when it starts; its claim to fd10::/64 is kept"},
		} {
			b.host.SetBridge("docker0", tt.left)
			b.settle()
			b.wantSubnets("10.0.0.0/24", "fd10::/64")
			b.wantText(api.FindingBridgeLost, tt.text)
			b.host.SetBridge("docker0", "10.0.0.1/24", "fd10::1/64")
			b.settle()
		}
		b.host.SetBridge("docker0", "10.0.1.1/24", "fd10::1/64") // another bip
		b.settle()
		b.wantSubnets("10.0.1.0/24", "fd10::/64")
	})
}
