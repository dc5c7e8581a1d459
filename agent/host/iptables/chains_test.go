package iptables

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/agent/host"
)

func TestPassage(t *testing.T) {
	for name, tt := range map[string]struct {
		passage passage
		table   string
		want    string
	}{
		"raw": {passage{uplink: "eth0"}, "raw", `
-A SEALANE-RAW -i eth0 -m set --match-set sealane-peers src -m set --match-set sealane-local dst -m comment --comment sealane -j ACCEPT
-A SEALANE-RAW -i eth0 -p icmp -m set --match-set sealane-local dst -m icmp --icmp-type 3/4 -m comment --comment sealane -j ACCEPT
-A SEALANE-RAW -i eth0 -p icmp -m set --match-set sealane-local dst -m icmp --icmp-type 11 -m comment --comment sealane -j ACCEPT
`},
		"filter": {passage{uplink: "eth0"}, "filter", `
-A SEALANE-FWD -i eth0 -m set --match-set sealane-peers src -m set --match-set sealane-local dst -m comment --comment sealane -j ACCEPT
-A SEALANE-FWD -o eth0 -m set --match-set sealane-local src -m set --match-set sealane-peers dst -m comment --comment sealane -j ACCEPT
`},
		"strictly": {passage{uplink: "eth0", strict: true, docker: true}, "filter", `
-A SEALANE-FWD -i eth0 -m set --match-set sealane-peers src -m set --match-set sealane-local dst -m conntrack --ctstate RELATED,ESTABLISHED -m comment --comment sealane -j ACCEPT
-A SEALANE-FWD -i eth0 -m set --match-set sealane-peers src -m set --match-set sealane-local dst -m comment --comment sealane -j DOCKER
-A SEALANE-FWD -i eth0 -m set --match-set sealane-peers src -m set --match-set sealane-local dst -m comment --comment sealane -j DROP
-A SEALANE-FWD -o eth0 -m set --match-set sealane-local src -m set --match-set sealane-peers dst -m comment --comment sealane -j ACCEPT
`},
		"redirected": {passage{family: host.IPv6, uplink: "eth0", handedTo: []string{"br0", "docker0"}}, "filter", `
-A SEALANE-FWD -i eth0 -m set --match-set sealane-peers6 src -m set --match-set sealane-local6 dst -m comment --comment sealane -j ACCEPT
-A SEALANE-FWD -o eth0 -m set --match-set sealane-local6 src -m set --match-set sealane-peers6 dst -m comment --comment sealane -j ACCEPT
-A SEALANE-FWD -i br0 -o br0 -m set --match-set sealane-peers6 src -m set --match-set sealane-local6 dst -m comment --comment sealane -j ACCEPT
-A SEALANE-FWD -i br0 -o br0 -p ipv6-icmp -m set --match-set sealane-local6 dst -m icmp6 --icmpv6-type 2 -m comment --comment sealane -j ACCEPT
-A SEALANE-FWD -i br0 -o br0 -p ipv6-icmp -m set --match-set sealane-local6 dst -m icmp6 --icmpv6-type 3 -m comment --comment sealane -j ACCEPT
-A SEALANE-FWD -i docker0 -o docker0 -m set --match-set sealane-peers6 src -m set --match-set sealane-local6 dst -m comment --comment sealane -j ACCEPT
-A SEALANE-FWD -i docker0 -o docker0 -p ipv6-icmp -m set --match-set sealane-local6 dst -m icmp6 --icmpv6-type 2 -m comment --comment sealane -j ACCEPT
-A SEALANE-FWD -i docker0 -o docker0 -p ipv6-icmp -m set --match-set sealane-local6 dst -m icmp6 --icmpv6-type 3 -m comment --comment sealane -j ACCEPT
`},
	} {
		if diff := cmp.Diff(tt.want, "\n"+strings.Join(tt.passage.rules(tt.table), "\n")+"\n"); diff != "" {
			t.Errorf("%s (-want +have):\n%s", name, diff)
		}
	}
}
