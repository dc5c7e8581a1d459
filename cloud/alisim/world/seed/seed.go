// Package seed says what a simulated region holds: the plain values of a [Seed], read from YAML,
// checked, and completed with their defaults. The same values tell the present state of a
// simulator. It decides about packets too, by what security groups say.
package seed

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Seed is the world a simulator starts with. The same shape describes its present state,
// see Snapshot of package world. Ids are whatever the seed says; they need no vendor's pattern.
type Seed struct {
	Region    string     `json:"region" yaml:"region"`                       // default cn-hangzhou
	Zone      string     `json:"zone,omitempty" yaml:"zone,omitempty"`       // default the region's zone h
	Account   string     `json:"account,omitempty" yaml:"account,omitempty"` // digits
	Keys      []Key      `json:"-" yaml:"keys,omitempty"`                    // none: requests need no signature
	Roles     []Role     `json:"-" yaml:"roles,omitempty"`                   // with policies
	VPCs      []VPC      `json:"vpcs" yaml:"vpcs"`
	Instances []Instance `json:"instances" yaml:"instances,omitempty"`
}

// VPC is a virtual network. One that names no system table gets one.
type VPC struct {
	ID             string            `json:"id" yaml:"id"`
	Name           string            `json:"name,omitempty" yaml:"name,omitempty"`
	CIDR           netip.Prefix      `json:"cidr" yaml:"cidr"`
	Secondary      []netip.Prefix    `json:"secondary,omitempty" yaml:"secondary,omitempty"`
	IPv6           netip.Prefix      `json:"ipv6Cidr,omitzero" yaml:"ipv6Cidr,omitempty"`    // none by default
	UserCIDRs      []netip.Prefix    `json:"userCidrs,omitempty" yaml:"userCidrs,omitempty"` // public space used as private
	VRouter        string            `json:"vrouter,omitempty" yaml:"vrouter,omitempty"`
	VSwitches      []VSwitch         `json:"vswitches" yaml:"vswitches,omitempty"`
	Tables         []Table           `json:"tables" yaml:"tables,omitempty"`
	SecurityGroups []SecurityGroup   `json:"securityGroups,omitempty" yaml:"securityGroups,omitempty"`
	Tags           map[string]string `json:"tags,omitempty" yaml:"tags,omitempty"`
	TaskTime       Duration          `json:"taskTime,omitempty" yaml:"taskTime,omitempty"` // of changes; default that of the options
}

// Duration is a time.Duration that is written like "2s".
type Duration time.Duration

// MarshalText writes the duration.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads a duration, which must not be negative.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err == nil && v < 0 {
		err = fmt.Errorf("%s is negative", v)
	}
	*d = Duration(v)
	return err
}

// VSwitch is one subnet of a VPC. It uses exactly one table.
type VSwitch struct {
	ID    string            `json:"id" yaml:"id"`
	Name  string            `json:"name,omitempty" yaml:"name,omitempty"` // default the id
	Tags  map[string]string `json:"tags,omitempty" yaml:"tags,omitempty"`
	CIDR  netip.Prefix      `json:"cidr" yaml:"cidr"`
	IPv6  netip.Prefix      `json:"ipv6Cidr,omitzero" yaml:"ipv6Cidr,omitempty"` // inside the VPC's
	Zone  string            `json:"zone,omitempty" yaml:"zone,omitempty"`        // default the seed's
	Table string            `json:"table,omitempty" yaml:"table,omitempty"`      // default the VPC's system table
}

// Table is a route table with its custom entries; system entries follow from the vSwitches.
type Table struct {
	ID      string            `json:"id" yaml:"id"`
	Name    string            `json:"name,omitempty" yaml:"name,omitempty"`
	System  bool              `json:"system,omitempty" yaml:"system,omitempty"`
	Gateway bool              `json:"gateway,omitempty" yaml:"gateway,omitempty"` // bound to a gateway: takes no entries
	Tags    map[string]string `json:"tags,omitempty" yaml:"tags,omitempty"`
	Quota   int               `json:"quota,omitempty" yaml:"quota,omitempty"` // custom entries it may hold; default 200
	Routes  []Route           `json:"routes,omitempty" yaml:"routes,omitempty"`
}

// Route is an entry of a table. ID and System are answers only; a seed must not set them.
// A seeded entry may be in any state; one that is not Available stays as it is for ever.
type Route struct {
	ID          string       `json:"id,omitempty" yaml:"-"`
	System      bool         `json:"system,omitempty" yaml:"-"`
	Destination netip.Prefix `json:"destination" yaml:"destination"`
	NextHop     string       `json:"nextHop,omitempty" yaml:"nextHop,omitempty"`
	NextHopType string       `json:"nextHopType,omitempty" yaml:"nextHopType,omitempty"` // default Instance
	Name        string       `json:"name,omitempty" yaml:"name,omitempty"`
	Description string       `json:"description,omitempty" yaml:"description,omitempty"`
	State       State        `json:"state,omitempty" yaml:"state,omitempty"` // default Available
}

// Instance is a machine. Its VPC may be left out: it follows from the vSwitch. VSwitch,
// addresses, SecurityGroups, SourceDestCheck, MAC and ENI are those of its primary interface.
type Instance struct {
	ID              string            `json:"id" yaml:"id"`
	Name            string            `json:"name,omitempty" yaml:"name,omitempty"` // default the id
	Tags            map[string]string `json:"tags,omitempty" yaml:"tags,omitempty"`
	VPC             string            `json:"vpc,omitempty" yaml:"vpc,omitempty"`
	VSwitch         string            `json:"vswitch" yaml:"vswitch"`
	IP              netip.Addr        `json:"ip" yaml:"ip"`                               // the metadata service knows callers by it
	MoreIPs         []netip.Addr      `json:"moreIps,omitempty" yaml:"moreIps,omitempty"` // secondary private addresses
	IPv6            []netip.Addr      `json:"ipv6,omitempty" yaml:"ipv6,omitempty"`       // inside the vSwitch's IPv6 range
	Status          string            `json:"status,omitempty" yaml:"status,omitempty"`   // default Running
	SecurityGroups  []string          `json:"securityGroups,omitempty" yaml:"securityGroups,omitempty"`
	SourceDestCheck bool              `json:"sourceDestCheck,omitempty" yaml:"sourceDestCheck,omitempty"`
	MAC             string            `json:"mac,omitempty" yaml:"mac,omitempty"`                   // default from the address
	ENI             string            `json:"eni,omitempty" yaml:"eni,omitempty"`                   // default from the id
	Role            string            `json:"role,omitempty" yaml:"role,omitempty"`                 // RAM role; none by default
	HTTPTokens      string            `json:"httpTokens,omitempty" yaml:"httpTokens,omitempty"`     // metadata: optional (default) or required
	HTTPEndpoint    string            `json:"httpEndpoint,omitempty" yaml:"httpEndpoint,omitempty"` // metadata: enabled (default) or disabled
	Interfaces      []Interface       `json:"interfaces,omitempty" yaml:"interfaces,omitempty"`     // the secondary ones
}

// State is where the cloud is with an entry.
type State string

// The states of an entry, as the API spells them.
const (
	Available State = "Available"
	Pending   State = "Pending"
	Modifying State = "Modifying"
	Deleting  State = "Deleting"
)

// States of an instance that the simulator treats apart from the others.
const (
	Running = "Running"
	Stopped = "Stopped"
)

// InstanceStatuses are all states of an instance, as the API spells them.
func InstanceStatuses() []string {
	return []string{"Pending", Running, "Starting", "Stopping", Stopped}
}

// Known reports whether a state is one of those above.
func (s State) Known() bool {
	return slices.Contains([]State{Available, Pending, Modifying, Deleting}, s)
}

// The types of next hops that exist here: an instance's primary interface, and any interface.
const (
	HopInstance  = "Instance"
	HopInterface = "NetworkInterface"
)

const (
	defaultRegion = "cn-hangzhou"
	defaultOwner  = "1000000000000001"
	defaultQuota  = 200 // vpc_quota_route_entrys_num
)

// Example is a small seed to start with: one VPC, two vSwitches on two tables, three
// instances, and one access key.
func Example() Seed {
	all := func(prefix string) Rule { return Rule{Source: netip.MustParsePrefix(prefix)} }
	return Seed{
		Region: defaultRegion,
		Keys:   []Key{{ID: "testid", Secret: "testsecret"}},
		VPCs: []VPC{{
			ID: "vpc-1", Name: "example", CIDR: netip.MustParsePrefix("192.168.0.0/16"),
			Tables: []Table{{ID: "vtb-1", System: true}, {ID: "vtb-2", Name: "second"}},
			VSwitches: []VSwitch{
				{ID: "vsw-1", CIDR: netip.MustParsePrefix("192.168.0.0/20"), Table: "vtb-1"},
				{ID: "vsw-2", CIDR: netip.MustParsePrefix("192.168.16.0/20"), Table: "vtb-2"},
			},
			SecurityGroups: []SecurityGroup{{ID: "sg-1", Ingress: []Rule{all("192.168.0.0/16"), all("10.0.0.0/8")}}},
		}},
		Instances: []Instance{
			{ID: "i-1", VSwitch: "vsw-1", IP: netip.MustParseAddr("192.168.0.11"), SecurityGroups: []string{"sg-1"}},
			{ID: "i-2", VSwitch: "vsw-1", IP: netip.MustParseAddr("192.168.0.12"), SecurityGroups: []string{"sg-1"}},
			{ID: "i-3", VSwitch: "vsw-2", IP: netip.MustParseAddr("192.168.16.13"), SecurityGroups: []string{"sg-1"}},
		},
	}
}

// BareID is an id without its kind, so that ids can be derived from it: "1" of "vpc-1". One that
// is written in another way stays whole, or two of them would lead to the same id.
func BareID(kind, id string) string { return strings.TrimPrefix(id, kind+"-") }

// ServiceRange is the system entry that every table has beside its vSwitches': the cloud's
// own services.
func ServiceRange() netip.Prefix { return netip.MustParsePrefix("100.64.0.0/10") }

// IsForbidden reports whether a destination lies in the black list. Only the error is
// documented, not the list: these are ranges no router forwards.
func IsForbidden(destination netip.Prefix) bool {
	for _, text := range [...]string{"127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"} {
		if p := netip.MustParsePrefix(text); p.Overlaps(destination) && destination.Bits() >= p.Bits() {
			return true
		}
	}
	return false
}

// Limits of an entry's texts, in characters.
const (
	NameLimit        = 128
	DescriptionLimit = 256
)

// TextFits reports whether a name or description of an entry is not too long and does not
// begin like a web address.
func TextFits(text string, limit int) bool {
	return utf8.ValidString(text) && utf8.RuneCountInString(text) <= limit &&
		!strings.HasPrefix(text, "http://") && !strings.HasPrefix(text, "https://")
}
