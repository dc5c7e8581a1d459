package registry

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry/etcd"
)

// held is one claim as it stands. An empty instance means that it cannot be read: then
// nobody knows whose it is, and it is respected.
type held struct {
	prefix   netip.Prefix
	instance api.InstanceID
	record   record
}

// shortestBits is the shortest prefix a host may claim, since the check for claims that contain a
// new one looks at every length down to it. No private range of IPv4 is larger; of IPv6, all
// that one site has of private addresses is a /48 (RFC 4193).
func shortestBits(p netip.Prefix) int {
	if p.Addr().Is4() {
		return 8
	}
	return 32
}

// todo is the difference between what a host reports and what the registry holds.
type todo struct {
	report    api.Report
	own       *record // hosts/<instance>, nil when there is none
	write     bool    // the record differs
	release   []held
	take      []netip.Prefix
	conflicts []api.Conflict // Holder is an instance id yet
}

// compare decides which claims to take and to release, and which to refuse.
func (s standing) compare(report api.Report) (todo, error) {
	news, err := s.isNews(report)
	if err != nil {
		return todo{}, err
	}
	t := todo{report: report, own: s.own, write: news}
	wanted := map[netip.Prefix]bool{}
	for _, subnet := range report.Subnets {
		if !report.Left && !wanted[subnet.Prefix] {
			wanted[subnet.Prefix] = true
			t.consider(subnet.Prefix, s.claims)
		}
	}
	for _, c := range s.claims {
		if c.instance == report.Instance && !wanted[c.prefix] {
			t.release = append(t.release, c)
		}
	}
	return t, nil
}

// consider takes the prefix, finds that the host holds it already, or refuses it.
func (t *todo) consider(p netip.Prefix, claims []held) {
	refuse := func(reason api.Reason, with netip.Prefix, holder string) {
		t.conflicts = append(t.conflicts, api.Conflict{
			Destination: p, Host: t.report.Instance, HostName: t.report.Name, Reason: reason, With: with, Holder: holder,
		})
	}
	switch {
	case p.Addr().Is4In6():
		refuse(api.ReasonNoPrefix, netip.Prefix{}, "")
		return
	case p.Bits() < shortestBits(p):
		refuse(api.ReasonReserved, netip.Prefix{}, "")
		return
	}
	for _, c := range claims {
		if c.prefix == p && c.instance == t.report.Instance {
			return
		}
	}
	for _, c := range claims {
		switch {
		case c.instance == t.report.Instance || !c.prefix.Overlaps(p):
		case c.instance == "":
			refuse(api.ReasonOverlapsClaim, c.prefix, "an unreadable record")
			return
		default:
			refuse(api.ReasonOverlapsClaim, c.prefix, string(c.instance))
			return
		}
	}
	t.take = append(t.take, p)
}

// txnLimit stays below etcd's 128 guards or operations in one transaction (--max-txn-ops).
const txnLimit = 120

// transaction is a guarded step towards what is to be done; whole says that it is all.
type transaction struct {
	guards []clientv3.Cmp
	then   []clientv3.Op
	whole  bool
}

// transaction builds as much of it as fits into one. Every part is guarded, so that what
// was read at the revision still holds when it is written.
func (t *todo) transaction(root string, revision int64) (transaction, error) {
	tx := transaction{whole: true}
	if t.write {
		key := areaHosts + string(t.report.Instance)
		value, err := encodeRecord(key, t.report, recordLimit)
		if err != nil {
			return tx, err
		}
		var modified int64
		if t.own != nil {
			modified = t.own.modified
		}
		tx.addOp(clientv3.OpPut(root+key, value), clientv3.Compare(clientv3.ModRevision(root+key), "=", modified))
	}
	for _, c := range t.release {
		key := root + c.record.key
		tx.addOp(clientv3.OpDelete(key), clientv3.Compare(clientv3.ModRevision(key), "=", c.record.modified))
	}
	guarded := map[string]bool{}
	for _, p := range t.take {
		claim := api.Claim{Prefix: p, Instance: t.report.Instance, Since: time.Now().UTC()}
		value, err := encodeRecord(claimKey(p), claim, recordLimit)
		if err != nil {
			return tx, err
		}
		tx.addOp(clientv3.OpPut(root+claimKey(p), value), freeGuards(root, p, revision, guarded)...)
	}
	return tx, nil
}

// add appends an operation and its guards, or nothing more once the transaction is full.
func (t *transaction) addOp(op clientv3.Op, guards ...clientv3.Cmp) {
	if !t.whole || len(t.then) == txnLimit || len(t.guards)+len(guards) > txnLimit {
		t.whole = false
		return
	}
	t.then = append(t.then, op)
	t.guards = append(t.guards, guards...)
}

func claimKey(p netip.Prefix) string { return areaSubnets + prefixKey(p) }

// freeGuards guards that no claim that overlaps p was made after the revision. Claims elsewhere
// do not matter, so that a thousand hosts can claim at the same time without a retry.
//
// A claim inside p has a key that begins with what is whole of p; a claim that contains p
// has one of the few keys of the shorter prefixes. Neighbours have most of these in common,
// so those that are guarded already are left out.
func freeGuards(root string, p netip.Prefix, revision int64, guarded map[string]bool) []clientv3.Cmp {
	unchanged := func(c clientv3.Cmp) clientv3.Cmp { return clientv3.Compare(c, "<", revision+1) }
	guards := []clientv3.Cmp{unchanged(clientv3.ModRevision(root + areaSubnets + commonKey(p)).WithPrefix())}
	for bits := p.Bits() - 1; bits >= shortestBits(p); bits-- {
		wider := root + claimKey(netip.PrefixFrom(p.Addr(), bits).Masked())
		if !guarded[wider] {
			guarded[wider] = true
			guards = append(guards, unchanged(clientv3.ModRevision(wider)))
		}
	}
	return guards
}

// commonKey is the text that the keys in p have in common: "10.0." for 10.0.64.0/18, and
// "fd00:0000:1" for fd00:0:1000::/36.
func commonKey(p netip.Prefix) string {
	if p.Addr().Is4() {
		octets := strings.SplitAfter(p.Addr().String()+"_", ".")
		return strings.Join(octets[:p.Bits()/8], "")
	}
	digits := p.Bits() / 4
	return p.Addr().StringExpanded()[:digits+digits/4-digits/32]
}

// release removes the claims of hosts, on the word of the leader of this term. A claim that
// changed since it was read is left to the next pass.
func (r *Registry) release(ctx context.Context, term api.Term, hosts []api.InstanceID) error {
	if len(hosts) == 0 {
		return nil
	}
	records, _, err := r.readAreas(ctx, "read the claims", areaSubnets)
	if err != nil {
		return err
	}
	for _, rec := range records {
		key, _ := rec.under(areaSubnets)
		claim, err := decodeClaim(key, rec.value)
		if err != nil || !slices.Contains(hosts, claim.Instance) {
			continue
		}
		unchanged := clientv3.Compare(clientv3.ModRevision(r.root+rec.key), "=", rec.modified)
		_, err = r.client.Txn(ctx).If(leaderGuard(term), unchanged).Then(clientv3.OpDelete(r.root + rec.key)).Commit()
		if err != nil {
			return etcd.WriteError(ctx, r.client, "release "+claim.Prefix.String(), err)
		}
	}
	return nil
}
