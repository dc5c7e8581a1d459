package machine_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/machine"
)

// world is a host with the rules and bridges of a real engine, as captured, and whatever
// it takes to send packets at them: the captured containers, a router that routes as a VPC
// does, another host with a container of its own, and an outsider.
type world struct {
	host                  *machine.Host
	b                     *space // the host
	router, peer, outside *space
	bridges               []host.Local
	containers            map[netip.Addr]*space
	published             map[netip.Addr]bool // of the containers, those with port 80 published
	state                 string              // directory
	native                bool
	legacy                bool
}

// Addresses that do not come from a fixture.
const (
	hostB      = "192.168.1.11"
	hostA      = "192.168.3.11"
	containerA = "10.9.0.2"
	outsider   = "192.168.2.50"
)

// fixtures are kept next to the evaluator of rules, which needs more of them.
const fixtures = "../../firewall/testdata"

// capture is what a fixture says.
type capture struct {
	bridges    []host.Local
	containers map[netip.Addr]string // to bridges
	nft        string                // Docker's own tables; empty: iptables
	iptables   string
	ip6tables  string
	legacy     bool
}

func readCapture(t *testing.T, name string) capture {
	t.Helper()
	read := func(file string) string {
		content, err := os.ReadFile(filepath.Join(fixtures, name, file))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return string(content)
	}
	c := capture{containers: map[netip.Addr]string{}, legacy: strings.Contains(name, "-legacy-")}
	if strings.Contains(name, "-nftables-") {
		c.nft = read("nft-ruleset.txt")
	} else {
		c.iptables, c.ip6tables = read("iptables-save.txt"), read("ip6tables-save.txt")
	}
	if c.nft+c.iptables == "" {
		t.Skipf("needs fixture %s", name)
	}
	for _, m := range regexp.MustCompile(`(?m)^((?:docker|br)\S+) +\S+ +(10\.\S+)`).FindAllStringSubmatch(read("ip-addr.txt"), -1) {
		c.bridges = append(c.bridges, host.Local{Prefix: netip.MustParsePrefix(m[2]), Bridge: m[1]})
	}
	var networks []struct {
		Containers map[string]struct{ IPv4Address string }
	}
	if text := read("network-inspect.json"); text != "" {
		if err := json.Unmarshal([]byte(text), &networks); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range networks {
		for _, one := range n.Containers {
			addr := netip.MustParsePrefix(one.IPv4Address)
			for _, b := range c.bridges {
				if b.Prefix.Contains(addr.Addr()) {
					c.containers[addr.Addr()] = b.Bridge
				}
			}
		}
	}
	return c
}

// newWorld brings a capture to life.
func newWorld(t *testing.T, c capture) *world {
	t.Helper()
	prefix := "replay-" + strings.NewReplacer("/", "-", ".", "-").Replace(strings.TrimPrefix(t.Name(), "TestReplay"))
	w := &world{
		router: newSpace(t, prefix+"-r"), b: newSpace(t, prefix+"-b"), peer: newSpace(t, prefix+"-a"), outside: newSpace(t, prefix+"-x"),
		containers: map[netip.Addr]*space{}, published: map[netip.Addr]bool{}, native: c.nft != "", legacy: c.legacy,
		state: t.TempDir(),
	}
	w.host = machine.New(machine.Options{StateDir: w.state})
	var script strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&script, format+"\n", args...) }
	for n, s := range map[int]*space{1: w.b, 2: w.outside, 3: w.peer} {
		own := map[int]string{1: hostB, 2: outsider, 3: hostA}[n]
		say("ip link add eth0 netns %s type veth peer name to%d netns %s", s.name, n, w.router.name)
		say("ip -n %s addr add %s/24 dev eth0; ip -n %[1]s link set eth0 up; ip -n %[1]s route add default via 192.168.%[3]d.1", s.name, own, n)
		say("ip -n %s addr add 192.168.%d.1/24 dev to%[2]d; ip -n %[1]s link set to%[2]d up", w.router.name, n)
	}
	say("ip -n %s addr add %s/32 dev lo; ip -n %s route add 10.9.0.0/24 via %s", w.peer.name, containerA, w.router.name, hostA)
	for _, b := range c.bridges {
		w.bridges = append(w.bridges, host.Local{Prefix: b.Prefix.Masked(), Bridge: b.Bridge})
		say("ip -n %s link add %s address 02:42:00:00:00:01 type bridge; ip -n %[1]s addr add %[3]s dev %[2]s; ip -n %[1]s link set %[2]s up", w.b.name, b.Bridge, b.Prefix)
		say("ip -n %s route add %s via %s", w.router.name, b.Prefix.Masked(), hostB)
	}
	shell(t, script.String())
	script.Reset()
	for addr, bridge := range c.containers {
		inside := newSpace(t, fmt.Sprintf("%s-c%d", prefix, len(w.containers)))
		w.containers[addr] = inside
		w.published[addr] = strings.Contains(c.nft+c.iptables, addr.String()+":80")
		gateway := c.bridges[0].Prefix
		for _, b := range c.bridges {
			if b.Bridge == bridge {
				gateway = b.Prefix
			}
		}
		say("ip link add eth0 netns %s type veth peer name veth%d netns %s", inside.name, len(w.containers), w.b.name)
		say("ip -n %s link set veth%d master %s up", w.b.name, len(w.containers), bridge)
		say("ip -n %s addr add %s/%d dev eth0; ip -n %[1]s link set eth0 up; ip -n %[1]s route add default via %[4]s", inside.name, addr, gateway.Bits(), gateway.Addr())
	}
	shell(t, script.String())
	for addr, inside := range w.containers {
		inside.serve(t, addr.String())
	}
	w.peer.serve(t, containerA)
	w.outside.serve(t, outsider)
	w.b.in(t, func() { w.load(t, c) })
	if t.Failed() {
		t.FailNow()
	}
	return w
}

// load puts the captured rules into the host.
func (w *world) load(t *testing.T, c capture) {
	t.Helper()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if c.nft != "" {
		// nft before 1.0.7 prints this priority by its name and does not read it.
		shell(t, "nft -f "+file("nft", strings.ReplaceAll(c.nft, "hook output priority dstnat", "hook output priority -100")))
		return
	}
	if strings.Contains(c.iptables, "docker-ext-bridges-v4") {
		shell(t, "ipset create docker-ext-bridges-v4 hash:net; ipset create docker-ext-bridges-v6 hash:net family inet6")
		for _, b := range w.bridges {
			shell(t, "ipset add docker-ext-bridges-v4 "+b.Prefix.String())
		}
	}
	variant := "nft"
	if c.legacy {
		variant = "legacy"
	}
	shell(t, "iptables-"+variant+"-restore "+file("v4", c.iptables))
	if c.ip6tables != "" {
		shell(t, "ip6tables-"+variant+"-restore "+file("v6", c.ip6tables))
	}
	if c.legacy {
		shell(t, "iptables-legacy -t raw -S") // the kernel keeps a legacy table for good
	}
}

// dump is all of the host that a wish may change.
func (w *world) dump(t *testing.T) (text string) {
	t.Helper()
	w.b.in(t, func() {
		text = dump(t) + shell(t, "tc qdisc show | sort; tc filter show dev eth0 ingress; grep . /proc/sys/net/ipv4/conf/*/rp_filter /proc/sys/net/ipv4/conf/*/send_redirects")
		if w.legacy {
			text += regexp.MustCompile(`(?m)^#.*$|\[\d+:\d+\]`).ReplaceAllString(shell(t, "iptables-legacy-save; ip6tables-legacy-save"), "")
		}
	})
	return text
}

func (w *world) apply(t *testing.T, wish host.Wish) (out host.Outcome) {
	t.Helper()
	w.b.in(t, func() { out = w.host.Apply(t.Context(), wish) })
	return out
}

// serve answers in a namespace: on TCP ports 80 and 82 with the address the caller is seen
// from, then with what is said; on UDP port 90 of an address with what is said.
func (s *space) serve(t *testing.T, addr string) {
	t.Helper()
	s.in(t, func() {
		for _, port := range []string{":80", ":82"} {
			l, err := net.Listen("tcp", port)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						defer func() { _ = c.Close() }()
						_, _ = fmt.Fprintln(c, netip.MustParseAddrPort(c.RemoteAddr().String()).Addr().Unmap())
						_, _ = io.Copy(c, c)
					}()
				}
			}()
		}
		u, err := net.ListenPacket("udp4", addr+":90")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = u.Close() })
		go func() {
			packet := make([]byte, 1<<16)
			for {
				n, from, err := u.ReadFrom(packet)
				if err != nil {
					return
				}
				_, _ = u.WriteTo(packet[:n], from)
			}
		}()
	})
}

// probe is one try to reach something, and its answer: the source it was seen from, "ok"
// for a ping, or "-".
type probe struct {
	from *space
	as   string // source address; empty: the kernel's choice
	to   string // address, with a port for TCP
}

// patience is how long an answer may take that must not come.
const patience = 400 * time.Millisecond

func (p probe) once(t *testing.T) string {
	t.Helper()
	answer := "-"
	p.from.in(t, func() {
		if strings.Contains(p.to, ":") { // of IPv6 with a port always
			answer = p.connect()
		} else if p.ping(t) {
			answer = "ok"
		}
	})
	return answer
}

func (p probe) connect() string {
	d := net.Dialer{Timeout: patience}
	if p.as != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(p.as)}
	}
	c, err := d.Dial("tcp", p.to)
	if err != nil {
		return "-"
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(patience))
	seen, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return "-"
	}
	return strings.TrimSpace(seen)
}

func (p probe) ping(t *testing.T) bool {
	t.Helper()
	as := p.as
	if as == "" {
		as = "0.0.0.0"
	}
	c, err := net.ListenPacket("ip4:icmp", as)
	if err != nil {
		t.Error(err)
		return false
	}
	defer func() { _ = c.Close() }()
	echo := echoRequest(uint16(time.Now().UnixNano()>>10), 1)
	if _, err := c.WriteTo(echo, &net.IPAddr{IP: net.ParseIP(p.to)}); err != nil {
		return false
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	answer := make([]byte, 1500)
	for {
		n, from, err := c.ReadFrom(answer)
		if err != nil {
			return false
		}
		if n >= 8 && answer[0] == 0 && from.String() == p.to && string(answer[4:8]) == string(echo[4:8]) {
			return true
		}
	}
}

// want makes all tries at once and compares the answers. One that is to come gets time.
func want(t *testing.T, when string, answers map[probe]string) {
	t.Helper()
	var all sync.WaitGroup
	for p, wanted := range answers {
		all.Go(func() {
			have := p.once(t)
			for deadline := time.Now().Add(5 * time.Second); wanted != "-" && have != wanted && time.Now().Before(deadline); {
				have = p.once(t)
			}
			if have != wanted {
				t.Errorf("%s: from %s %s to %s: %s, want %s", when, p.from.name, p.as, p.to, have, wanted)
			}
		})
	}
	all.Wait()
}
