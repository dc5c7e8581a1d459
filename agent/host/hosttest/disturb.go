package hosttest

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/host"
)

// SetBridge makes a bridge, or gives it other addresses; with none given, it goes away.
func (f *Fake) SetBridge(name string, addresses ...string) {
	f.change(func() {
		f.bridges = slices.DeleteFunc(f.bridges, func(b host.Bridge) bool { return b.Name == name })
		if len(addresses) == 0 {
			return
		}
		b := host.Bridge{Name: name, Up: true}
		for _, a := range addresses {
			b.Addresses = append(b.Addresses, netip.MustParsePrefix(a))
		}
		f.bridges = append(f.bridges, b)
	})
}

// BareBridge makes a bridge, or leaves it, without an address.
func (f *Fake) BareBridge(name string) {
	f.change(func() {
		f.bridges = slices.DeleteFunc(f.bridges, func(b host.Bridge) bool { return b.Name == name })
		f.bridges = append(f.bridges, host.Bridge{Name: name, Up: true})
	})
}

// LoseAddress takes an address from its interface.
func (f *Fake) LoseAddress(ip netip.Addr) { f.change(func() { delete(f.uplinks, ip) }) }

// GainAddress gives eth0 an address.
func (f *Fake) GainAddress(ip netip.Addr) { f.change(func() { f.uplinks[ip] = "eth0" }) }

// SetMAC gives an interface a hardware address.
func (f *Fake) SetMAC(link, mac string) { f.change(func() { f.macs[link] = mac }) }

// Block makes this variant, which Docker does not use, drop what is forwarded.
func (f *Fake) Block(v host.Variant) { f.change(func() { f.blocked = v }) }

// SetEngine has Docker's API tell this.
func (f *Fake) SetEngine(e host.Engine) { f.change(func() { f.engine, f.asked = e, nil }) }

// SetNative gives the host Docker's own nft table.
func (f *Fake) SetNative(n host.Native) { f.change(func() { f.native = &n }) }

// SilenceEngine has Docker's API answer no more, with this error.
func (f *Fake) SilenceEngine(err error) {
	f.change(func() { f.engine, f.asked = host.Engine{}, err })
}

// SetRules makes this the dump of the host's rules.
func (f *Fake) SetRules(d firewall.Dump) { f.change(func() { f.rules = d }) }

// Fail makes every Apply fail with this error until it is nil.
func (f *Fake) Fail(err error) {
	f.change(func() { f.failures = err })
}

// Disturb does what others do to a host.
func (f *Fake) Disturb(d Disturbance) {
	f.change(func() {
		switch d {
		case FlushFilter:
			f.flush("filter/")
		case FlushRaw:
			f.flush("raw/")
		case GetAhead:
			f.putFirst("filter/DOCKER-USER", "-s 203.0.113.1 -j RETURN")
			f.putFirst("raw/PREROUTING", "-s 203.0.113.1 -j RETURN")
		case ForwardingOff:
			f.forwardAll(false)
		case ForwardingOn:
			f.forwardAll(true)
		case LinkOff:
			f.turnOff("docker0")
		case StrictFilter:
			f.filter = 1
		case ShieldDocker:
			f.shield = true
		case LoseFile:
			f.file = nil
		case DestroySets:
			f.chains["raw/SEALANE-RAW"], f.chains["filter/SEALANE-FWD"] = nil, nil
			clear(f.sets)
		case LoseSource:
			f.source, f.kept = "", nil
		case StartDocker:
			f.startDocker()
		case FlushRuleset:
			clear(f.chains)
		case OpenPolicy:
			f.open = true
		case ClosePolicy:
			f.open = false
		}
	})
}

func (f *Fake) flush(table string) {
	for chain := range f.chains {
		if strings.HasPrefix(chain, table) {
			f.chains[chain] = nil
		}
	}
}

func (f *Fake) startDocker() {
	f.ruled = true
	f.chains["filter/DOCKER"] = nil
	f.chains["filter/DOCKER-USER"] = append(f.chains["filter/DOCKER-USER"], "-j RETURN")
	f.putFirst("filter/FORWARD", "-j DOCKER")
	f.putFirst("filter/FORWARD", "-j DOCKER-USER")
}
