package machine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/agent/host/machine"
	"github.com/sealane/sealane/agent/host/state"
)

// formerMemory is host.json as agents wrote it when all parts shared one record.
const formerMemory = `{
	"where": "%s %s",
	"variant": "nft",
	"chains": [],
	"sysctls": {
		"net/ipv4/conf/all/accept_redirects": "1",
		"net/ipv4/conf/all/forwarding": "0",
		"net/ipv4/conf/default/forwarding": "0",
		"net/ipv4/conf/docker0/forwarding": "0",
		"net/ipv4/conf/eth0/forwarding": "0",
		"net/ipv4/conf/eth0/rp_filter": "1",
		"net/ipv4/conf/lo/forwarding": "0",
		"net/ipv4/conf/wire/forwarding": "0",
		"net/ipv4/ip_forward": "0"
	},
	"values": {
		"net/ipv4/conf/eth0/rp_filter": "2",
		"net/ipv4/ip_forward": "1"
	},
	"early": true,
	"redirect": {
		"uplink": "eth0",
		"qdisc": true
	},
	"engine": {
		"path": "%s",
		"former": "{}\n",
		"left": "{\n    \"allow-direct-routing\": true\n}\n",
		"restarted": true
	}
}
`

// TestFormerMemory undoes what an agent before us did, by what it remembered.
func TestFormerMemory(t *testing.T) {
	needRoot(t)
	namespace(t)
	opts := machine.Options{StateDir: t.TempDir()}
	config := filepath.Join(t.TempDir(), "daemon.json")
	shell(t, "echo 1 > /proc/sys/net/ipv4/conf/eth0/rp_filter; echo '{}' > "+config)
	look := func() string { return dump(t) + shell(t, "tc qdisc show dev eth0; cat "+config) }
	before := look()

	shell(t, `
		echo 2 > /proc/sys/net/ipv4/conf/eth0/rp_filter
		echo 1 > /proc/sys/net/ipv4/ip_forward
		ipset create sealane-local hash:net
		ipset create sealane-peers hash:net
		tc qdisc add dev eth0 clsact
		printf '{\n    "allow-direct-routing": true\n}\n' > `+config+`
		for table in "raw PREROUTING SEALANE-RAW" "filter FORWARD SEALANE-FWD"; do
			set -- $table
			iptables -t $1 -N $3
			iptables -t $1 -A $3 -m set --match-set sealane-peers src -j ACCEPT
			iptables -t $1 -I $2 1 -m comment --comment sealane -j $3
		done`)
	boot, err := state.BootID()
	if err != nil {
		t.Fatal(err)
	}
	space, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(formerMemory, boot, space, config)
	if err := os.WriteFile(filepath.Join(opts.StateDir, "host.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := machine.New(opts).Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, look()); diff != "" {
		t.Errorf("not as before (-before +after):\n%s", diff)
	}
	if files, err := os.ReadDir(opts.StateDir); err != nil || len(files) > 0 {
		t.Errorf("left in the state directory: %v, %v", files, err)
	}
}
