package firewall

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// BenchmarkTrace parses a dump of 1000 rules and walks a packet to the last of them.
func BenchmarkTrace(b *testing.B) {
	var save strings.Builder
	save.WriteString("*filter\n:FORWARD DROP [0:0]\n")
	for i := range 1000 {
		fmt.Fprintf(&save, "-A FORWARD -s 10.%d.%d.0/24 -i eth0 -p tcp -m tcp --dport 80 -m conntrack --ctstate NEW -j ACCEPT\n", i/250, i%250)
	}
	save.WriteString("COMMIT\n")
	d := Dump{NFT: save.String()}
	p := Packet{In: "eth0", Out: "docker0", Src: netip.MustParseAddr("10.9.0.1"), Dst: netip.MustParseAddr("10.1.0.2"), Proto: "tcp", DstPort: 80}
	b.ReportAllocs()
	for b.Loop() {
		r, err := Parse(d)
		if err != nil {
			b.Fatal(err)
		}
		if v := r.Forward(p); !v.Dropped || v.By.Number != 0 {
			b.Fatal(v)
		}
	}
}

// BenchmarkForward is the walk alone.
func BenchmarkForward(b *testing.B) {
	for _, f := range fixtures(b) {
		if f.name != "29.7.2-iptables-published" {
			continue
		}
		p := tcp("docker0", "eth0", f.bridges[0].containers[0], containerA, 80)
		b.ReportAllocs()
		for b.Loop() {
			if v := f.rules.Forward(p); v.Dropped {
				b.Fatal(v)
			}
		}
	}
}

// BenchmarkOutcomes asks what a thousand peers may send to one subnet, through some hundred
// rules of which each tells one of them, or one port, apart.
func BenchmarkOutcomes(b *testing.B) {
	for _, peers := range []int{250, 1000} {
		b.Run(fmt.Sprint(peers), func(b *testing.B) {
			var save strings.Builder
			save.WriteString("*filter\n:FORWARD ACCEPT [0:0]\n")
			f := Flow{In: "eth0", Out: "docker0", To: prefixes("10.1.0.0/16")}
			for i := range peers {
				f.From = append(f.From, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(16 + i/256), byte(i), 0}), 24))
			}
			for i := range 150 {
				fmt.Fprintf(&save, "-A FORWARD -s 10.16.%d.0/24 -j DROP\n-A FORWARD -d 10.1.0.%d/32 -j DROP\n", i, i)
			}
			save.WriteString("-A FORWARD -p tcp -m tcp --dport 8080 -j DROP\nCOMMIT\n")
			r, err := Parse(Dump{NFT: save.String()})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if all := r.Outcomes(f); len(all) < 300 {
					b.Fatal(len(all))
				}
			}
		})
	}
}
