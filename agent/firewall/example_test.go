package firewall_test

import (
	"fmt"
	"net/netip"

	"github.com/sealane/sealane/agent/firewall"
)

// Would a connection from a container of another host reach one here? And what answers one
// that began here?
func Example() {
	rules, err := firewall.Parse(firewall.Dump{NFT: `*raw
:PREROUTING ACCEPT [0:0]
-A PREROUTING -d 10.1.0.2/32 ! -i docker0 -j DROP
COMMIT
*filter
:FORWARD DROP [0:0]
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
`})
	if err != nil {
		panic(err)
	}
	p := firewall.Packet{
		In: "eth0", Out: "docker0", Proto: "tcp", SrcPort: 40000, DstPort: 80,
		Src: netip.MustParseAddr("10.2.0.2"), Dst: netip.MustParseAddr("10.1.0.3"),
	}
	fmt.Println(rules.Forward(p).By)

	p.Dst, p.SrcPort, p.DstPort, p.State = netip.MustParseAddr("10.1.0.2"), 80, 40000, "established"
	fmt.Println(rules.Forward(p).By)

	p.Dst = netip.MustParseAddr("10.1.0.3")
	fmt.Println(rules.Forward(p).Dropped)
	// Output:
	// iptables-nft, table ip filter, chain FORWARD, policy DROP
	// iptables-nft, table ip raw, chain PREROUTING, rule 1: -A PREROUTING -d 10.1.0.2/32 ! -i docker0 -j DROP
	// false
}
