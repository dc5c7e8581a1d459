package firewall

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// dice makes rules by chance, more often than not such that a packet gets far.
type dice struct{ *rand.Rand }

func (d dice) of(all ...string) string { return all[d.IntN(len(all))] }

// some is a few of the given, in their order.
func (d dice) some(all ...string) string {
	var picked []string
	for _, s := range all {
		if d.IntN(len(all)) == 0 {
			picked = append(picked, s)
		}
	}
	return strings.Join(picked, " ")
}

// maybe is one of the given, or nothing.
func (d dice) maybe(all ...string) string {
	if len(all) == 0 || d.IntN(2) == 0 {
		return ""
	}
	return d.of(all...)
}

// lines is up to n of them.
func (d dice) lines(n int, line func() string) string {
	var b strings.Builder
	for range d.IntN(n + 1) {
		b.WriteString(line() + "\n")
	}
	return b.String()
}

// iptables is a dump for one variant. Where both variants, whose chains have equal priorities,
// would set something, the order of their making decides, which no dump tells; so only one of
// them translates and marks.
func (d dice) iptables(translates bool) string {
	nat := func() string {
		return "-A POSTROUTING " + d.match("-o docker0") + d.of(" -j MASQUERADE", " -j ACCEPT", " -j RETURN", " -j SNAT --to-source 10.1.0.77")
	}
	dnat := func() string {
		return "-A PREROUTING " + d.maybe("-i eth0", "! -i eth0", "-m mark ! --mark 0x1/0x1") + " -p udp -m udp --dport 80 -j DNAT --to-destination " + d.of(":81", "10.1.0.2:81", "10.1.0.2")
	}
	chains := func(from string, to ...string) func() string {
		return func() string {
			return "-A " + from + " " + d.match("-i eth0", "! -i docker0", "-o docker0", "! -o eth0", "-i eth+", "-o lo") + d.target(to...)
		}
	}
	early := func(chain string) func() string {
		return func() string { return "-A " + chain + " " + d.match("-i eth0", "! -i eth0") + d.target() }
	}
	marks := 0
	changes := ""
	if translates {
		marks = 2
		changes = d.lines(1, dnat) + d.lines(2, nat)
	}
	return "*raw\n:PREROUTING ACCEPT [0:0]\n" + d.lines(2, early("PREROUTING")) +
		"COMMIT\n*mangle\n:PREROUTING ACCEPT [0:0]\n" + d.lines(1, early("PREROUTING")) +
		d.lines(marks, func() string {
			return "-A PREROUTING " + d.match() + " -j MARK --set-xmark " + d.of("0x1/0x1", "0x2/0x3", "0x3/0xffffffff")
		}) +
		"COMMIT\n*nat\n:PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n" + changes +
		"COMMIT\n*filter\n:FORWARD " + d.of("ACCEPT", "ACCEPT", "ACCEPT", "DROP") + " [0:0]\n:A - [0:0]\n:B - [0:0]\n:C - [0:0]\n" +
		d.lines(4, chains("FORWARD", "A", "B", "C")) + d.lines(3, chains("A", "B", "C")) + d.lines(3, chains("B", "C")) + d.lines(3, chains("C")) +
		"COMMIT\n"
}

func (d dice) match(interfaces ...string) string {
	return strings.Join([]string{
		d.maybe(interfaces...),
		d.maybe("-s 10.2.0.0/24", "! -s 10.2.0.3/32", "! -d 10.1.0.0/30"),
		d.maybe("-p tcp", "-p udp -m udp --dport 80", "-p udp -m udp ! --dport 80", "-p udp -m multiport --dports 79,80:81"),
		d.maybe("-m mark --mark 0x1/0x1", "-m mark ! --mark 0x2/0x2", "-m mark --mark 0x0"),
	}, " ")
}

func (d dice) target(chains ...string) string {
	if len(chains) > 0 && d.IntN(2) == 0 {
		return " " + d.of("-j", "-j", "-g") + " " + d.of(chains...)
	}
	return " -j " + d.of("ACCEPT", "ACCEPT", "ACCEPT", "RETURN", "RETURN", "RETURN", "DROP")
}

// nft is a table with chains at hooks and priorities around those of iptables.
func (d dice) nft() string {
	chain := func(name, head string, n int, to ...string) string {
		return "chain " + name + " {\n" + head + "\n" + d.lines(n, func() string { return d.nftRule(to...) }) + "}\n"
	}
	priority := func() string {
		return d.of("-310", "-290", "-160", "-140", "-110", "-90", "filter - 10", "filter + 10")
	}
	return "table ip own {\nset near { type ipv4_addr; flags interval; elements = { 10.1.0.0/24, 10.9.0.1-10.9.0.7 } }\n" +
		"set far { type ipv4_addr; elements = { 10.2.0.2, 10.2.0.9 } }\n" +
		"map ways { type ifname : verdict; elements = { \"docker0\" : " + d.of("jump a", "goto b", "accept", "return") + ", \"lo\" : drop } }\n" +
		chain("b", "", 3) + chain("a", "", 3, "b") +
		chain("early", "type filter hook prerouting priority "+priority()+"; policy accept;", 2, "a") +
		chain("mid", "type filter hook forward priority "+priority()+"; policy "+d.of("accept", "accept", "accept", "drop")+";", 4, "a", "b") +
		chain("late", "type filter hook postrouting priority "+priority()+"; policy accept;", 2) +
		fmt.Sprintf("chain post {\ntype nat hook postrouting priority srcnat %s 10; policy accept;\n%s}\n", d.of("-", "+"),
			d.lines(2, func() string { return d.nftMatch() + " " + d.of("snat to ip saddr", "masquerade", "accept", "return") })) + "}\n"
}

func (d dice) nftRule(to ...string) string {
	if slices.Contains(to, "a") && d.IntN(6) == 0 {
		return "oifname vmap @ways"
	}
	if d.IntN(6) == 0 {
		return d.nftMatch() + " meta mark set " + d.of("0x1", "meta mark | 0x2", "meta mark & 0xfffffffe", "meta mark ^ 0x3")
	}
	verdicts := []string{"accept", "accept", "return", "return", "counter", "drop"}
	for _, name := range to {
		verdicts = append(verdicts, "jump "+name, "goto "+name)
	}
	return d.nftMatch() + " " + d.of(verdicts...)
}

func (d dice) nftMatch() string {
	return d.some(`iifname "eth0"`, `iifname != { "eth0", "lo" }`, `oifname "docker0"`, `oifname != "docker0"`,
		"ip saddr @far", "ip saddr != @near", "ip daddr @near", "ip daddr 10.1.0.0/30", "udp dport 80", "udp dport { 22, 80-81 }",
		"udp dport != 80", "meta mark & 0x1 == 0x1", "meta mark != 0x2", "ct state new", "ct state established,related", "ip protocol udp",
		"ct state vmap { established : accept, new : continue }")
}
