package e2e

import (
	"context"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/deploy/lab"
	"github.com/sealane/sealane/deploy/lab/probe"
)

// fields are the inputs, in the order in which they are tried. Hosts 2 and 3 have bips
// 10.1.0.1/24 and 10.2.0.1/24; etcd is at 192.168.0.10.
func fields() []field {
	all := pathFields()
	all = append(all, cloudFields()...)
	all = append(all, ruleFields()...)
	return append(all, harmlessFields()...)
}

// pathFields change routes, links and addresses.
func pathFields() []field {
	return []field{
		{
			name: "a Docker network takes a peer's subnet",
			do:   "docker network create --subnet 10.1.0.0/24 shop_default", undo: "docker network rm shop_default",
			traffic: someDie, findings: []string{"SL-F021 failure"}, tells: []string{"10.1.0.0/24", "shop_default"},
		},
		{
			name: "a static route of the hand-made recipe is left",
			do:   "ip route add 10.1.0.0/24 via 192.168.1.50", undo: "ip route del 10.1.0.0/24",
			traffic: someDie, findings: []string{"SL-F021 failure"}, tells: []string{"10.1.0.0/24", "192.168.1.50"},
		},
		{
			name: "a VPN pushes the pool to a tunnel",
			do: `ip link add tun9 type veth peer name tun9p; ip addr add 172.29.9.2/24 dev tun9
				ip link set tun9 up; ip link set tun9p up; ip route add 10.0.0.0/8 dev tun9`,
			undo:    "ip link del tun9",
			traffic: someDie, findings: []string{"SL-F021 failure"}, tells: []string{"tun9"},
		},
		{
			name:    "a mesh VPN has a rule and a table of its own",
			do:      "ip route add 10.1.0.0/24 via 192.168.1.50 table 52; ip rule add pref 5270 lookup 52",
			undo:    "ip rule del pref 5270; ip route flush table 52",
			traffic: someDie, findings: []string{"SL-F021 failure"}, tells: []string{"10.1.0.0/24", "52"},
		},
		{
			name: "a blackhole over a peer's subnet",
			do:   "ip route add blackhole 10.2.0.0/24", undo: "ip route del blackhole 10.2.0.0/24",
			traffic: someDie, findings: []string{"SL-F021 failure"}, tells: []string{"10.2.0.0/24", "blackhole"},
		},
		{
			name: "the subnet leads elsewhere than to its bridge",
			do: `ip link add wg9 type veth peer name wg9p; ip link set wg9 up; ip link set wg9p up
				ip route add 10.0.0.0/25 dev wg9`,
			undo:    "ip link del wg9",
			traffic: allDie, findings: []string{"SL-F022 failure"}, tells: []string{"wg9"},
		},
		{
			name: "the bridge loses its address",
			do:   "ip addr flush dev docker0 scope global", undo: "ip addr add 10.0.0.1/24 dev docker0",
			traffic: allDie, findings: []string{"SL-F002 failure"}, tells: []string{"docker0"},
		},
		{
			name: "the bridge is down",
			do:   "ip link set docker0 down", undo: "ip link set docker0 up",
			traffic: allDie, findings: []string{"SL-F022 failure"}, tells: []string{"docker0"},
		},
		{
			name: "forwarding is off on one link",
			do:   "true", traffic: allPass, ready: true, doctor: []string{"10.1.0.0/24"},
			asks: linkOff,
		},
		{
			name: "a network covers etcd's own subnet", // the record ages, and tells what was so
			do:   "docker network create --subnet 192.168.0.0/24 stack_default", undo: "docker network rm stack_default",
			traffic: unlooked, ready: true, doctor: []string{"stack_default", "192.168.0.10"},
			asks: exits(api.ExitDegraded),
		},
	}
}

// cloudFields are what the cloud does. The host itself, and so its doctor, has nothing to say.
func cloudFields() []field {
	closed := alisim.SecurityGroup{InnerAccess: "Drop", Ingress: []alisim.Rule{{Source: prefix("192.168.0.10/32")}}}
	fresh := closed
	fresh.Ingress = append(slices.Clone(closed.Ingress),
		alisim.Rule{Source: prefix("0.0.0.0/0"), Protocol: "TCP", Ports: "22/22"}, alisim.Rule{Source: prefix("0.0.0.0/0"), Protocol: "ICMP"})
	open := alisim.SecurityGroup{Ingress: []alisim.Rule{{Source: prefix("192.168.0.0/16")}, {Source: prefix("10.0.0.0/8")}}}
	doctor := []string{"10.1.0.0/24"}
	return []field{
		{
			name: "the source/destination check is on", // what leaves passes once it is masqueraded
			act:  sourceCheck(true), unact: sourceCheck(false),
			traffic: someDie, findings: []string{"SL-F106 failure"}, doctor: doctor,
		},
		{
			name: "the security group is closed",
			act:  securityGroup(closed), unact: securityGroup(open),
			traffic: nobodyPasses, findings: []string{"SL-F107 failure"}, doctor: doctor,
		},
		{
			name: "the security group opens what a new one opens",
			act:  securityGroup(fresh), unact: securityGroup(open),
			traffic: nobodyPasses, findings: []string{"SL-F107 failure"}, doctor: doctor,
		},
		{
			name:    "the cloud throttles",
			act:     func(_ *testing.T, c *cluster) { c.Sim().Fault(alisim.Fault{Code: "Throttling.User", Times: -1}) },
			unact:   func(_ *testing.T, c *cluster) { c.Sim().ClearFaults() },
			traffic: allPass, ready: true, findings: []string{"SL-F102 warning"}, doctor: doctor,
		},
	}
}

// securityGroup gives the group of all hosts these rules, in place of those it has.
func securityGroup(g alisim.SecurityGroup) func(*testing.T, *cluster) {
	g.ID = lab.SecurityGroup
	return func(t *testing.T, c *cluster) {
		if err := c.Sim().SetSecurityGroup(c.Sim().Snapshot().VPCs[0].ID, g); err != nil {
			t.Error(err)
		}
	}
}

// ruleFields are rules of others that drop, and rules that are lost.
func ruleFields() []field {
	return []field{
		{
			name: "a table inet filter of one's own drops",
			do:   "nft -f $FIELD/inet-filter-drop.nft", undo: "nft delete table inet filter",
			traffic: allDie, findings: []string{"SL-F012 failure"}, tells: []string{"inet filter"},
		},
		{
			name: "a table that admits the VPC and no containers",
			do:   "nft -f $FIELD/vpc-only.nft", undo: "nft delete table inet filter",
			traffic: unlooked, findings: []string{"SL-F012 failure"}, tells: []string{"inet filter"},
		},
		{
			name: "a table of another name drops",
			do:   "nft -f $FIELD/inet-fw-drop.nft", undo: "nft delete table inet fw",
			traffic: allDie, findings: []string{"SL-F012 failure"}, tells: []string{"inet fw"},
		},
		{
			name: "a chain of one's own in table ip filter drops", // what comes in passes once it is masqueraded
			do: `nft add chain ip filter mine '{ type filter hook forward priority 10; policy accept; }'
				nft add rule ip filter mine oifname docker0 ip saddr 10.0.0.0/8 drop`,
			undo:    "nft flush chain ip filter mine; nft delete chain ip filter mine",
			traffic: someDie, findings: []string{"SL-F012 failure"}, tells: []string{"mine"},
		},
		{
			name: "one peer is dropped",
			do:   "iptables -I FORWARD 1 -s 10.2.0.0/24 -j DROP", undo: "iptables -D FORWARD -s 10.2.0.0/24 -j DROP",
			traffic: someDie, findings: []string{"SL-F012 failure"}, tells: []string{"10.2.0.0/24"},
		},
		{
			name: "one port is dropped",
			do:   "iptables -I FORWARD 1 -p tcp --dport 8082 -j DROP", undo: "iptables -D FORWARD -p tcp --dport 8082 -j DROP",
			traffic: allPass, ready: true, findings: []string{"SL-F012 warning"}, tells: []string{"8082"},
		},
		{
			name: "packets are queued for nobody", // whether somebody listens a rule does not tell
			do:   "iptables -I FORWARD 1 -j NFQUEUE --queue-num 9", undo: "iptables -D FORWARD -j NFQUEUE --queue-num 9",
			traffic: allDie, findings: []string{"SL-F028 warning"}, tells: []string{"NFQUEUE"},
		},
		{
			name: "the table filter is flushed",
			do:   "iptables -F", unact: restartDocker,
			traffic: allPass, findings: []string{"SL-F024 failure"}, tells: []string{"FORWARD"},
		},
		{
			name: "all rules are flushed",
			do:   "nft flush ruleset", unact: restartDocker,
			traffic: allPass, findings: []string{"SL-F024 failure"}, tells: []string{"Docker"},
		},
		{
			name: "nft is not installed", // and the doctor does not say more than it knows
			do:   "true", traffic: allPass, ready: true, doctor: []string{"10.1.0.0/24"},
			asks: withoutNFT,
		},
		{
			name: "forwarding is off and the policy open",
			do:   "iptables -P FORWARD ACCEPT; sysctl -qw net.ipv4.ip_forward=0", undo: "iptables -P FORWARD DROP",
			traffic: allDie, findings: []string{"SL-F025 failure"}, tells: []string{"ACCEPT"},
			asks: outsiderKeptOut,
		},
	}
}

// harmlessFields are what must not be mistaken for trouble.
func harmlessFields() []field {
	return []field{
		{
			name: "podman's tables stand beside Docker's",
			do:   "nft -f $FIELD/netavark.nft", undo: "nft delete table inet netavark",
			traffic: allPass, ready: true, findings: []string{},
		},
		{
			name: "kube's rules stand beside Docker's",
			do:   "iptables-restore -n < $FIELD/kube.rules",
			undo: `iptables -D FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD; iptables -D FORWARD -j KUBE-FIREWALL
				iptables -F KUBE-FORWARD; iptables -X KUBE-FORWARD; iptables -F KUBE-FIREWALL; iptables -X KUBE-FIREWALL; iptables -t mangle -F PREROUTING`,
			traffic: allPass, ready: true, findings: []string{},
		},
		{
			name: "hardening turns forwarding off once, and filters strictly",
			do:   "sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.eth0.rp_filter=1",
			undo: "sysctl -qw net.ipv4.conf.all.rp_filter=0", traffic: allPass, ready: true, findings: []string{},
		},
		{
			name:    "swarm takes its ingress network",
			do:      "docker swarm init --advertise-addr $(ip -4 -o addr show dev eth0 | awk '{print $4}' | cut -d/ -f1) >/dev/null",
			undo:    "docker swarm leave --force >/dev/null; docker network rm docker_gwbridge >/dev/null 2>&1 || true",
			traffic: allPass, ready: true, findings: []string{},
		},
		{
			name: "a labelled network is made anew again and again",
			do: `for i in 1 2 3; do docker network create --label sealane.serve=true --subnet 10.50.$i.0/24 proj_default >/dev/null
				docker network rm proj_default >/dev/null; done`,
			undo: "true", traffic: allPass, ready: true, findings: []string{},
		},
	}
}

func exits(code int) func(*testing.T, *cluster, ran) {
	return func(t *testing.T, _ *cluster, doctor ran) {
		if doctor.code != code {
			t.Errorf("doctor says %d, want %d:\n%s", doctor.code, code, doctor.out)
		}
	}
}

// linkOff asks a doctor that is there before the agent, which mends it at once.
func linkOff(t *testing.T, c *cluster, _ ran) {
	signal := func(s syscall.Signal) {
		if err := c.Signal("agent-h1", s); err != nil {
			t.Fatal(err)
		}
	}
	h := c.host(t, 1)
	signal(syscall.SIGSTOP)
	c.shell(t, h, "sysctl -qw net.ipv4.conf.eth0.forwarding=0")
	doctor := c.doctor(t, h)
	signal(syscall.SIGCONT)
	if !strings.Contains(doctor.out, "SL-F003 failure") || !strings.Contains(doctor.out, "eth0") || doctor.code != api.ExitDegraded {
		t.Errorf("doctor says %d:\n%s", doctor.code, doctor.out)
	}
}

func sourceCheck(on bool) func(*testing.T, *cluster) {
	return func(t *testing.T, c *cluster) {
		if err := c.CheckSources(c.host(t, 1), on); err != nil {
			t.Fatal(err)
		}
	}
}

func restartDocker(t *testing.T, c *cluster) {
	h := c.host(t, 1)
	if _, err := c.RestartDocker(c.life, 1, h.Bip); err != nil {
		t.Fatal(err)
	}
}

// withoutNFT asks a doctor that finds no nft. What it could not look at it must not call fine.
func withoutNFT(t *testing.T, c *cluster, _ ran) {
	h := c.host(t, 1)
	tools := t.TempDir()
	c.shell(t, h, `for d in /usr/sbin /sbin /usr/bin /bin; do for f in $d/*; do
		[ "${f##*/}" = nft ] || ln -sf "$f" "`+tools+`/${f##*/}"; done; done`)
	argv := append([]string{"sh", "-c", `PATH=` + tools + ` "$@"; echo "exit code $?"`, "sh", program("sealane-agent"), "doctor"}, c.AgentFlags(h)...)
	out := c.on(t, h, argv...)
	for _, want := range []string{"SL-F028", "nft", "exit code 7"} {
		if !strings.Contains(out, want) {
			t.Errorf("without nft doctor does not say %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "passes") {
		t.Errorf("without nft doctor says that packets pass:\n%s", out)
	}
}

// outsiderKeptOut wants no machine outside the cluster to reach a container because of us.
func outsiderKeptOut(t *testing.T, c *cluster, _ ran) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	h := c.host(t, 1)
	ns := "/run/netns/" + c.Inventory().Outsider.Namespace
	if err := probe.Ping(ctx, ns, h.Bip.Addr().Next()); err == nil {
		t.Error("an outsider pings the container of host 1")
	}
	if forwarding := strings.TrimSpace(c.on(t, h, "cat", "/proc/sys/net/ipv4/ip_forward")); forwarding != "0" {
		t.Errorf("net.ipv4.ip_forward is %s", forwarding)
	}
}
