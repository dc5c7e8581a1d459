package lab

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"
	"net/netip"

	"github.com/sealane/sealane/api"
)

// layout is the address plan of a lab. It is pure: the same options give the same plan.
type layout struct {
	vpc     netip.Prefix
	mgrNet  netip.Prefix // first /24 of the VPC: the vSwitch of the management host
	hostNet netip.Prefix // second /24: the vSwitch of the hosts
	outNet  netip.Prefix // third /24: the vSwitch of the outsider, where there is one
	pool    netip.Prefix
	stride  uint32 // addresses between one host's bip and the next
}

// MaxHosts is the most hosts a lab can have: the addresses from .196 on stay clear of the gateway.
const MaxHosts = 50

const (
	firstHost = 196 // last octet of host 1, as in the scenario
	mgrOctet  = 10
	gateway   = 253 // Alibaba VPCs have their gateway at the third-last address of a vSwitch
)

// newLayout refuses networks that cannot hold the lab, each with one sentence.
func newLayout(vpc, pool netip.Prefix, hosts int) (layout, error) {
	for name, p := range map[string]netip.Prefix{"vpc": vpc, "bip pool": pool} {
		if err := checkPrefix(name, p); err != nil {
			return layout{}, err
		}
	}
	switch {
	case vpc.Bits() > 23:
		return layout{}, fmt.Errorf("vpc %s is too small: the lab needs two /24 vSwitches in it, so a /23 or larger: %w", vpc, api.ErrUsage)
	case vpc.Overlaps(pool):
		return layout{}, fmt.Errorf("bip pool %s overlaps the vpc %s: %w", pool, vpc, api.ErrUsage)
	case hosts < 1 || hosts > MaxHosts:
		return layout{}, fmt.Errorf("%d hosts: a lab has 1 to %d: %w", hosts, MaxHosts, api.ErrUsage)
	case pool.Bits() > 24 || hosts > 1<<(24-pool.Bits()):
		return layout{}, fmt.Errorf("bip pool %s is too small: it has no /24 for each of %d hosts: %w", pool, hosts, api.ErrUsage)
	}
	l := layout{vpc: vpc, pool: pool, stride: 1 << 8}
	if pool.Bits() <= 10 { // it holds a /16 for each of MaxHosts
		l.stride = 1 << 16
	}
	l.mgrNet = netip.PrefixFrom(vpc.Addr(), 24)
	l.hostNet = netip.PrefixFrom(addressAfter(vpc.Addr(), 1<<8), 24)
	l.outNet = netip.PrefixFrom(addressAfter(vpc.Addr(), 2<<8), 24)
	return l, nil
}

func checkPrefix(name string, p netip.Prefix) error {
	switch service := netip.MustParsePrefix("100.64.0.0/10"); {
	case !p.IsValid() || !p.Addr().Is4():
		return fmt.Errorf("%s %q is not an IPv4 prefix such as 10.0.0.0/8: %w", name, p, api.ErrUsage)
	case p != p.Masked():
		return fmt.Errorf("%s %s has host bits set; did you mean %s: %w", name, p, p.Masked(), api.ErrUsage)
	case p.Overlaps(service):
		return fmt.Errorf("%s %s overlaps %s, where the cloud's own services are: %w", name, p, service, api.ErrUsage)
	}
	return nil
}

// host plans the k-th host, counted from 1.
func (l layout) host(name string, k int) (Host, error) {
	if k < 1 || k > MaxHosts {
		return Host{}, fmt.Errorf("host %d: a lab has at most %d hosts: %w", k, MaxHosts, api.ErrUsage)
	}
	base := addressAfter(l.pool.Addr(), uint32(k-1)*l.stride)
	if !l.pool.Contains(base) {
		return Host{}, fmt.Errorf("host %d: bip pool %s has no /24 left for it: %w", k, l.pool, api.ErrUsage)
	}
	return Host{
		Index:     k,
		Name:      fmt.Sprintf("host%d", k),
		Instance:  instanceID(k),
		IP:        addressAfter(l.hostNet.Addr(), uint32(firstHost+k-1)),
		Bip:       netip.PrefixFrom(base.Next(), 24),
		Namespace: namespaceName(name, fmt.Sprintf("h%d", k)),
	}, nil
}

func (l layout) mgr() netip.Addr { return addressAfter(l.mgrNet.Addr(), mgrOctet) }

func (l layout) gateways() []netip.Addr {
	return []netip.Addr{gatewayOf(l.mgrNet), gatewayOf(l.hostNet), gatewayOf(l.outNet)}
}

func gatewayOf(p netip.Prefix) netip.Addr { return addressAfter(p.Addr(), gateway) }

func namespaceName(lab, part string) string { return "sl-" + lab + "-" + part }

// instanceID gives the two hosts of the scenario their ids and every other host one that
// looks alike and is the same in each run.
func instanceID(k int) api.InstanceID {
	switch k {
	case 1:
		return "i-8vb6dyu0clj3b538e1yh"
	case 2:
		return "i-8vbbhvwcbk9yjeigcctn"
	}
	sum := sha256.Sum256(binary.BigEndian.AppendUint32([]byte("sealane lab host"), uint32(k)))
	return api.InstanceID("i-8vb" + new(big.Int).SetBytes(sum[:]).Text(36)[:17])
}

// addressAfter is the address n after a.
func addressAfter(a netip.Addr, n uint32) netip.Addr {
	b := a.As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+n)
	return netip.AddrFrom4(b)
}
