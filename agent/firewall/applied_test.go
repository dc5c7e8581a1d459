package firewall

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// applied is a host with rules for the cluster's traffic, and what was measured on it.
type applied struct {
	*Ruleset
	user string // the name of its user-defined bridge
}

// Where the names of reachability.txt are: the host here is the one called host B there.
func place(name string) netip.Addr {
	return netip.MustParseAddr(map[string]string{
		"a_p0": "10.1.0.2", "a_c1": "10.1.1.2", "hostA": "192.168.1.11", "outX": "192.168.2.50",
		"hostB": "192.168.1.12", "b_p0": "10.2.0.2",
		"plain": "10.2.0.2", "published": "10.2.0.3", "userbr-published": "10.2.1.2",
		"docker0": "10.2.0.1", "userbr": "10.2.1.1",
	}[name])
}

// bridge is the interface behind which an address of the host's own subnets is, and the host's
// address on it.
func (a applied) bridge(addr netip.Addr) (name string, own netip.Addr) {
	if netip.MustParsePrefix("10.2.0.0/24").Contains(addr) {
		return "docker0", place("docker0")
	}
	return a.user, place("userbr")
}

// packet is from somebody to an address behind a bridge of the host.
func (a applied) packet(from string, to netip.Addr, proto string, port uint16) Packet {
	out, own := a.bridge(to)
	p := Packet{In: "eth0", Out: out, Src: place(from), Dst: to, Proto: proto, SrcPort: 40000, DstPort: port}
	switch from {
	case "hostB":
		p.In, p.Src = "", own
	case "b_p0":
		p.In = "docker0"
	}
	if proto == "icmp" {
		p.ICMPType = 8
	}
	return p
}

// seen is the source that the server sees, "-" if nothing arrives.
func (a applied) seen(t *testing.T, p Packet) string {
	t.Helper()
	v := a.Forward(p)
	if len(v.Unsure) > 0 {
		t.Errorf("%v: unsure of %v", p, v.Unsure)
	}
	switch {
	case v.Dropped:
		return "-"
	case v.Masqueraded:
		_, own := a.bridge(v.Dst)
		return own.String()
	default:
		return v.Src.String()
	}
}

// hostPort is the source seen behind a published port: either the firewall translates it, or
// the host takes the connection and docker-proxy makes one of its own.
func (a applied) hostPort(t *testing.T, from string, port uint16) string {
	t.Helper()
	to := place("published")
	if port == 8082 {
		to = place("userbr-published")
	}
	p := a.packet(from, to, "tcp", port)
	p.Dst, p.ToHost = place("hostB"), true
	switch from {
	case "hostB":
		p.Src = place("hostB")
	case "a_p0", "a_c1":
		p.Src = place("hostA") // only between subnets does the sending host keep the source
	}
	v := a.Forward(p)
	if v.Dropped || v.Dst != place("hostB") {
		return a.seen(t, p)
	}
	return a.seen(t, a.packet("hostB", to, "tcp", 80))
}

// TestApplied compares every cell of the measured tables, the source seen included.
func TestApplied(t *testing.T) {
	userBridge := regexp.MustCompile(`br-[0-9a-f]{12}`)
	asked := 0
	for _, f := range fixtures(t) {
		if f.state != "agent-applied" {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			d := f.dump(t)
			a := applied{Ruleset: f.rules, user: userBridge.FindString(d.NFT + d.Legacy + d.Ruleset)}
			for i, line := range strings.Split(strings.TrimSpace(f.read(t, "reachability.txt")), "\n") {
				if i > 0 {
					asked += a.row(t, line)
				}
			}
		})
	}
	if asked != 6*(17*3+6*2) {
		t.Errorf("%d cells compared", asked)
	}
}

// row compares a line of the table: from, to, ping, source seen on port 80, on port 81; or the
// sources seen behind two published ports of the host.
func (a applied) row(t *testing.T, line string) (cells int) {
	t.Helper()
	var col []string
	for c := range strings.SplitSeq(line, "|") {
		col = append(col, strings.TrimSpace(c))
	}
	from, to := col[0], col[1]
	compare := func(what, got, want string) {
		cells++
		if got != want {
			t.Errorf("%s -> %s: %s, measured %s", from, what, got, want)
		}
	}
	if strings.HasPrefix(to, "hostB:") {
		for one := range strings.SplitSeq(to, ";") {
			words := strings.Fields(strings.ReplaceAll(one, ":", " "))
			n, err := strconv.ParseUint(words[1], 10, 16)
			if err != nil {
				t.Fatal(err)
			}
			compare(one, a.hostPort(t, from, uint16(n)), words[2])
		}
		return cells
	}
	pong := "ok"
	if a.seen(t, a.packet(from, place(to), "icmp", 0)) == "-" {
		pong = "-"
	}
	compare(to+" ping", pong, col[2])
	compare(to+" port 80", a.seen(t, a.packet(from, place(to), "tcp", 80)), col[3])
	compare(to+" port 81", a.seen(t, a.packet(from, place(to), "tcp", 81)), col[4])
	return cells
}
