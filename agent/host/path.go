package host

import "net/netip"

// PathQuestion says between which places packets must find their way. The subnets of the
// other hosts are all that the registry grants them, also those that something here takes.
type PathQuestion struct {
	Uplink  string         // interface toward the other hosts
	Locals  []Local        // subnets of this host that others may reach
	Remotes []netip.Prefix // subnets of other hosts
	Marks   []Marking      // of packets that carry a mark when they are routed
	Hosts   []netip.Addr   // single machines that the host itself must reach, the registry for one
}

// Marking is a mark that some packets carry when they are routed.
type Marking struct {
	In       string         // the interface that they come in by
	From, To []netip.Prefix // none: all
	Mark     uint32
	Limits   string // the protocols and ports that carry it; empty: all, or nearly
}

// Path is where the kernel sends packets, by its rules, routes and links. Subnets that lie
// under the same routes are answered by one look-up.
type Path struct {
	Lookups  []Lookup
	Links    []Link       // the uplink and the bridges of the question, by name
	Gateways []netip.Addr // next hops of the default routes that leave by the uplink
}

// Lookup is one question to the kernel's routes, and its answer.
type Lookup struct {
	In   string         // the interface that the packet comes in by; empty: the host sends it
	Src  netip.Addr     // the address that it comes from; the zero value leaves it to the kernel
	To   []netip.Prefix // what the question was about: whole subnets, or single machines
	Part netip.Prefix   // the part of To that is meant, where routes divide it; else the zero value
	Dst  netip.Addr     // the address that stands for it

	Fate    Fate
	Device  string       // what the packet leaves by
	NextHop netip.Addr   // the zero value if Dst is on the link
	Table   int          // of the route, by number
	Route   netip.Prefix // the route's destination; the zero value if it is not known
	Owner   string       // who made the route, by its protocol: kernel, boot, static, dhcp, bird, ...; empty if not known
	Cause   error        // why the fate is FateUnknown
}

// Fate is what becomes of a packet that is looked up.
type Fate string

// The fates.
const (
	FateSent        Fate = "sent"        // it leaves by a device
	FateLocal       Fate = "local"       // it is for the host itself
	FateNoRoute     Fate = "no route"    // no route leads there
	FateUnreachable Fate = "unreachable" // a route says unreachable
	FateProhibited  Fate = "prohibited"  // a route or a rule says prohibit
	FateBlackhole   Fate = "blackhole"   // a route or a rule says blackhole
	FateMartian     Fate = "martian"     // the reverse path filter drops it by its source
	FateUnknown     Fate = "unknown"     // the kernel could not be asked, or its answer says too little
)

// Link is an interface as far as it matters to what passes it.
type Link struct {
	Name        string
	There       bool // there is one of that name
	Up          bool // it is set up; whether it has a carrier does not count
	Forwarding  bool // IPv4 that comes in by it is forwarded
	Forwarding6 bool // the same of IPv6
	ReversePath int  // effective reverse path filter: 0 off, 1 strict, 2 loose
	MTU         int  // bytes
}
