package api

import (
	"net/netip"
	"slices"
	"time"
)

// Report is what an agent says about its host: the durable record hosts/<instance>.
type Report struct {
	Instance  InstanceID  `json:"instance"`
	Name      string      `json:"name"`
	Region    string      `json:"region"`
	VPC       VPCID       `json:"vpc"`
	VSwitch   VSwitchID   `json:"vswitch"`
	IP        netip.Addr  `json:"ip"`               // the host's private address in the VPC
	Uplink    InterfaceID `json:"uplink,omitempty"` // the secondary interface that IP belongs to; empty: the primary one
	Subnets   []Subnet    `json:"subnets"`
	Readiness Readiness   `json:"readiness"`
	Versions  Versions    `json:"versions"`
	Findings  []Finding   `json:"findings,omitempty"`
	Left      bool        `json:"left,omitempty"` // the host was taken out of service on purpose
	At        time.Time   `json:"at"`             // when the agent last changed this record
}

// Subnet is the range of one Docker bridge network of one host.
type Subnet struct {
	Prefix  netip.Prefix `json:"prefix"`            // masked
	Bridge  string       `json:"bridge"`            // the bridge's interface name, for example "docker0"
	Network string       `json:"network,omitempty"` // the name Docker has for it; empty if not known
}

// Readiness says how far the host itself is prepared to forward.
type Readiness struct {
	Forwarding bool `json:"forwarding"` // net.ipv4.ip_forward is on
	Rules      bool `json:"rules"`      // our accepts are in place wherever Docker would drop, and no rule is known to drop what should pass

	// Astray says that packets between our subnets are lost by the host's routes or links. An
	// agent that does not look at these leaves it out.
	Astray bool `json:"astray,omitempty"`
}

// Ready reports whether the host forwards traffic between our subnets.
func (r Readiness) Ready() bool { return r.Forwarding && r.Rules && !r.Astray }

// Versions of what runs on the host; empty means not known.
type Versions struct {
	Agent  string `json:"agent"`
	Kernel string `json:"kernel,omitempty"`
	Docker string `json:"docker,omitempty"`
}

// Equal reports whether two reports say the same, leaving aside when they were written.
// The agent uses it to write only news.
func (r Report) Equal(o Report) bool {
	return r.Instance == o.Instance && r.Name == o.Name && r.Region == o.Region && r.VPC == o.VPC &&
		r.VSwitch == o.VSwitch && r.IP == o.IP && r.Uplink == o.Uplink && r.Readiness == o.Readiness && r.Versions == o.Versions &&
		r.Left == o.Left && slices.Equal(r.Subnets, o.Subnets) && slices.Equal(r.Findings, o.Findings)
}

// Claim is the durable record subnets/<prefix>: this host holds this prefix. The
// registry creates it in a transaction that fails when an overlapping claim exists.
type Claim struct {
	Prefix   netip.Prefix `json:"prefix"`
	Instance InstanceID   `json:"instance"`
	Since    time.Time    `json:"since"`
	Revision int64        `json:"-"` // create revision in the registry: the claim's age, smaller is older
}

// Life is what the evidence says of a host. Only gone and left withdraw routes.
type Life string

// A host's life, by evidence.
const (
	LifeRegistered Life = "registered" // its record exists, its agent was not seen alive yet
	LifeAlive      Life = "alive"      // its agent's lease holds
	LifeSilent     Life = "silent"     // the lease is gone: everything is kept
	LifeStopped    Life = "stopped"    // the cloud says it is stopped: kept, traffic to it is lost
	LifeMissing    Life = "missing"    // the cloud does not know it, seen once: kept, nothing new is written
	LifeGone       Life = "gone"       // the cloud, asked twice, does not know it
	LifeLeft       Life = "left"       // its agent or an operator said so
)

// Withdraws reports whether this life is evidence enough to withdraw the host's routes.
func (l Life) Withdraws() bool { return l == LifeGone || l == LifeLeft }

// Host is a host as the controller and operators see it: its report, its claims and
// what is known of its life.
type Host struct {
	Report
	Life   Life      `json:"life"`
	Since  time.Time `json:"since,omitzero"` // since when its agent is alive
	Claims []Claim   `json:"claims,omitempty"`

	// Revision of the registry when the host's record or a claim of it was last written: how
	// fresh the evidence is. 0 is not known.
	Revision int64 `json:"-"`
}

// Label names the host for people: its id and, in parentheses, its name.
func (h Host) Label() string { return label(h.Instance, h.Name) }

func label(id InstanceID, name string) string {
	if name == "" || name == string(id) {
		return string(id)
	}
	return string(id) + " (" + name + ")"
}
