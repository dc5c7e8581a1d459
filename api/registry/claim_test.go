package registry

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry/etcdtest"
)

// Between the moment a host reads the claims and the moment it writes its own, another
// host claims. Only where the two overlap may that stop it.
func TestClaimInBetween(t *testing.T) {
	client := etcdtest.Start(t).Client
	for _, test := range []struct {
		mine, theirs string
		taken        bool
	}{
		{"10.85.170.0/24", "10.85.170.0/24", false},
		{"10.85.170.0/24", "10.85.170.64/26", false},
		{"10.85.170.0/24", "10.85.170.85/32", false},
		{"10.85.170.0/24", "10.85.168.0/21", false},
		{"10.85.170.0/24", "10.85.0.0/16", false},
		{"10.85.170.0/24", "10.80.0.0/12", false},
		{"10.85.170.0/24", "10.0.0.0/8", false},
		{"10.80.0.0/12", "10.95.255.0/24", false},
		{"10.0.0.0/8", "10.255.0.0/16", false},
		{"10.85.170.85/32", "10.85.170.84/31", false},
		{"10.85.170.0/24", "10.85.171.0/24", true},
		{"10.85.170.0/24", "10.85.0.0/17", true},
		{"10.1.0.0/16", "10.16.0.0/16", true},
		{"10.85.170.8/32", "10.85.170.80/32", true},
		{"fd00:85:170::/64", "fd00:85:170::/64", false},
		{"fd00:85:170::/64", "fd00:85:170::/80", false},
		{"fd00:85:170::/64", "fd00:85:170:0:5:6:7:8/128", false},
		{"fd00:85::/33", "fd00:85:7fff:0:5::/80", false},
		{"fd00:85:170::/64", "fd00:85:160::/43", false},
		{"fd00:85:170::/64", "fd00:85::/32", false},
		{"fd00::170/128", "fd00::170/127", false},
		{"fd00::170/128", "fd00::/32", false},
		{"fd00:85:170::/64", "fd00:85:170:1::/64", true},
		{"fd00:85:170::/64", "fd00:85:171::/48", true},
		{"fd00::1/128", "fd00::10/128", true},
		{"fd00::/64", "10.85.170.0/24", true},
		{"10.0.0.0/8", "fd00::/32", true},
	} {
		t.Run(test.mine+" and "+test.theirs, func(t *testing.T) {
			r := New(client, t.Name())
			mine := reportOf("i-mine", test.mine)
			now, err := r.standing(t.Context(), mine.Instance)
			if err != nil {
				t.Fatal(err)
			}
			if refused, err := r.Report(t.Context(), reportOf("i-theirs", test.theirs)); err != nil || len(refused) > 0 {
				t.Fatalf("the other's report: %v, %v", refused, err)
			}
			todo, err := now.compare(mine)
			if err != nil {
				t.Fatal(err)
			}
			tx, err := todo.transaction(r.root, now.revision)
			if err != nil {
				t.Fatal(err)
			}
			if taken, err := r.commitIf(t.Context(), "claim", tx.guards, tx.then); err != nil || taken != test.taken {
				t.Errorf("taken is %v, %v; want %v", taken, err, test.taken)
			}
		})
	}
}

func reportOf(id api.InstanceID, subnet string) api.Report {
	return api.Report{Instance: id, Subnets: []api.Subnet{{Prefix: netip.MustParsePrefix(subnet), Bridge: "docker0"}}}
}

// TestNeighboursShareGuards counts how many neighbours are claimed in one transaction: each
// has a guard of its own, and those of the wider prefixes are shared.
func TestNeighboursShareGuards(t *testing.T) {
	for format, least := range map[string]int{"10.0.%d.0/24": 50, "fd00:0:0:%x::/64": 40, "fd00::%x/128": 10} {
		var todo todo
		for i := range 100 {
			todo.take = append(todo.take, netip.MustParsePrefix(fmt.Sprintf(format, i)))
		}
		tx, err := todo.transaction("/", 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(tx.then) < least || tx.whole || len(tx.guards) > txnLimit {
			t.Errorf("%s: %d of 100 with %d guards in a transaction, whole %t; want %d at least", format, len(tx.then), len(tx.guards), tx.whole, least)
		}
	}
}
