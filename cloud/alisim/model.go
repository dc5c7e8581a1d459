package alisim

import (
	"net/netip"
	"slices"
	"time"
)

// world is everything the simulated region holds. It knows no HTTP and is not safe for
// concurrent use: Live guards it.
type world struct {
	region, zone, account string
	vpcs                  []*vpc
	instances             []*Instance // sorted by id
	serial                int         // of the last entry id given
	rules                 int         // ids given to rules of security groups
	Behaviour
	touched bool                 // since a Live last asked
	started map[string]time.Time // instances that came after the start
	born    time.Time
}

type vpc struct {
	VPC       // as seeded, without what the fields below hold
	tables    []*table
	vswitches []*vswitch
	groups    []*SecurityGroup
	task      task
	status    State
}

type vswitch struct {
	VSwitch
	vpc    *vpc
	table  *table
	status State
}

type table struct {
	Table
	vpc     *vpc
	entries []*entry // in order of creation, system entries first
	status  State
}

type entry struct {
	Route
	table    *table
	serial   int
	modified time.Time
	next     *Route // while Modifying: what it becomes
	was      *Route // the system entry that it is again when it is deleted
	stuck    bool   // never leaves its state
}

// settled reports whether no change of the entry is under way.
func (e *entry) settled() bool { return e.State == Available }

func (w *world) vpc(id string) *vpc {
	return find(w.vpcs, func(v *vpc) bool { return v.ID == id })
}

func (w *world) instance(id string) *Instance {
	return find(w.instances, func(i *Instance) bool { return i.ID == id })
}

func (w *world) at(ip netip.Addr) *Instance {
	return find(w.instances, func(i *Instance) bool {
		return slices.ContainsFunc(i.Attached(), func(f Interface) bool { return slices.Contains(f.Addresses(), ip) })
	})
}

func (w *world) table(id string) *table {
	return find(w.tables(), func(t *table) bool { return t.ID == id })
}

func (w *world) vswitch(id string) *vswitch {
	return find(w.vswitches(), func(s *vswitch) bool { return s.ID == id })
}

func (w *world) tables() []*table {
	return collect(w.vpcs, func(v *vpc) []*table { return v.tables })
}

func (w *world) vswitches() []*vswitch {
	return collect(w.vpcs, func(v *vpc) []*vswitch { return v.vswitches })
}

func (w *world) group(id string) (*vpc, *SecurityGroup) {
	for _, v := range w.vpcs {
		if g := find(v.groups, func(g *SecurityGroup) bool { return g.ID == id }); g != nil {
			return v, g
		}
	}
	return nil, nil
}

// entryByID finds an entry by its own id, in any table.
func (w *world) entryByID(id string) *entry {
	for _, t := range w.tables() {
		if e := find(t.entries, func(e *entry) bool { return e.ID == id }); e != nil {
			return e
		}
	}
	return nil
}

// nextRuleID gives an id to a rule of a security group.
func (w *world) nextRuleID() string {
	w.rules++
	return ruleID(w.rules)
}

// tableOf is the id of the table that an entry is in, or "".
func (w *world) tableOf(entry string) string {
	if e := w.entryByID(entry); e != nil {
		return e.table.ID
	}
	return ""
}

// touch notes that something is different now, which those who wait must learn.
func (w *world) touch() { w.touched = true }

// zoneOf is the zone of a vSwitch.
func (w *world) zoneOf(vswitch string) string {
	if s := w.vswitch(vswitch); s != nil {
		return s.Zone
	}
	return w.zone
}

func (w *world) groupName(id string) string {
	if _, g := w.group(id); g != nil {
		return g.Name
	}
	return ""
}

func (v *vpc) table(id string) *table {
	return find(v.tables, func(t *table) bool { return t.ID == id })
}

func (t *table) entry(destination netip.Prefix) *entry {
	return find(t.entries, func(e *entry) bool { return e.Destination == destination })
}

// custom counts the entries that the quota counts.
func (t *table) custom() int {
	n := 0
	for _, e := range t.entries {
		if !e.System {
			n++
		}
	}
	return n
}

// kind is the table's type in the API's words.
func (t *table) kind() string {
	if t.System {
		return "System"
	}
	return "Custom"
}

// users are the vSwitches that use the table, sorted.
func (t *table) users() []string {
	ids := []string{}
	for _, s := range t.vpc.vswitches {
		if s.table == t {
			ids = append(ids, s.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func (e *entry) kind() string {
	if e.System {
		return "System"
	}
	return "Custom"
}

// family is the entry's IpVersion. The API writes it in either letter case.
func (e *entry) family() string {
	if e.Destination.Addr().Is4() {
		return "IPv4"
	}
	return "IPv6"
}
