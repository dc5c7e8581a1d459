// Package world is the model of a simulated region: VPCs with their route tables, vSwitches and
// security groups, instances, and the states that changes pass through. It refuses in the
// API's words ([Refusal]) and knows nothing of HTTP. A [World] is one region; [Live] lets time
// pass in it, and [Hands] reach into it past the rules of the API.
package world

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// World is everything the simulated region holds. It knows no HTTP and is not safe for
// concurrent use: Live guards it.
type World struct {
	Region, zone, Account string
	VPCs                  []*VPC
	Instances             []*seed.Instance // sorted by id
	Serial                int              // of the last entry id given
	rules                 int              // ids given to rules of security groups
	Behaviour
	touched bool                 // since a Live last asked
	started map[string]time.Time // instances that came after the start
	Born    time.Time
}

// VPC is a virtual network with what is in it.
type VPC struct {
	seed.VPC  // as seeded, without what the fields below hold
	Tables    []*Table
	VSwitches []*VSwitch
	Groups    []*seed.SecurityGroup
	task      task
	Status    seed.State
}

// VSwitch is a subnet of a VPC.
type VSwitch struct {
	seed.VSwitch
	VPC    *VPC
	Uses   *Table // its packets are routed by
	Status seed.State
}

// Table is a route table of a VPC.
type Table struct {
	seed.Table
	VPC     *VPC
	Entries []*Entry // in order of creation, system entries first
	Status  seed.State
}

// Entry is a route in a table, with the change that it is in.
type Entry struct {
	seed.Route
	Table    *Table
	serial   int
	Modified time.Time
	next     *seed.Route // while Modifying: what it becomes
	was      *seed.Route // the system entry that it is again when it is deleted
	stuck    bool        // never leaves its state
}

// IsSettled reports whether no change of the entry is under way.
func (e *Entry) IsSettled() bool { return e.State == seed.Available }

// VPC finds a VPC, or is nil; so do the others for what they find by an id.
func (w *World) VPC(id string) *VPC {
	return Find(w.VPCs, func(v *VPC) bool { return v.ID == id })
}

// Instance finds an instance.
func (w *World) Instance(id string) *seed.Instance {
	return Find(w.Instances, func(i *seed.Instance) bool { return i.ID == id })
}

// InstanceAt finds the instance that has an address.
func (w *World) InstanceAt(ip netip.Addr) *seed.Instance {
	return Find(w.Instances, func(i *seed.Instance) bool {
		return slices.ContainsFunc(i.Attached(), func(f seed.Interface) bool { return slices.Contains(f.Addresses(), ip) })
	})
}

// Table finds a table.
func (w *World) Table(id string) *Table {
	return Find(w.AllTables(), func(t *Table) bool { return t.ID == id })
}

// VSwitch finds a vSwitch.
func (w *World) VSwitch(id string) *VSwitch {
	return Find(w.AllVSwitches(), func(s *VSwitch) bool { return s.ID == id })
}

// AllTables are the tables of all VPCs.
func (w *World) AllTables() (all []*Table) {
	for _, v := range w.VPCs {
		all = append(all, v.Tables...)
	}
	return all
}

// AllVSwitches are the vSwitches of all VPCs.
func (w *World) AllVSwitches() (all []*VSwitch) {
	for _, v := range w.VPCs {
		all = append(all, v.VSwitches...)
	}
	return all
}

// SecurityGroup finds a security group, and the VPC it is in.
func (w *World) SecurityGroup(id string) (*VPC, *seed.SecurityGroup) {
	for _, v := range w.VPCs {
		if g := Find(v.Groups, func(g *seed.SecurityGroup) bool { return g.ID == id }); g != nil {
			return v, g
		}
	}
	return nil, nil
}

// EntryByID finds an entry by its own id, in any table.
func (w *World) EntryByID(id string) *Entry {
	for _, t := range w.AllTables() {
		if e := Find(t.Entries, func(e *Entry) bool { return e.ID == id }); e != nil {
			return e
		}
	}
	return nil
}

// NextRuleID gives an id to a rule of a security group.
func (w *World) NextRuleID() string {
	w.rules++
	return seed.RuleID(w.rules)
}

// TableOf is the id of the table that an entry is in, or "".
func (w *World) TableOf(entry string) string {
	if e := w.EntryByID(entry); e != nil {
		return e.Table.ID
	}
	return ""
}

// Touch notes that something is different now, which those who wait must learn.
func (w *World) Touch() { w.touched = true }

// ZoneOf is the zone of a vSwitch.
func (w *World) ZoneOf(vswitch string) string {
	if s := w.VSwitch(vswitch); s != nil {
		return s.Zone
	}
	return w.zone
}

// GroupName is the name of a security group, or "".
func (w *World) GroupName(id string) string {
	if _, g := w.SecurityGroup(id); g != nil {
		return g.Name
	}
	return ""
}

func (v *VPC) tableByID(id string) *Table {
	return Find(v.Tables, func(t *Table) bool { return t.ID == id })
}

// EntryFor finds the entry of just this destination, or is nil.
func (t *Table) EntryFor(destination netip.Prefix) *Entry {
	return Find(t.Entries, func(e *Entry) bool { return e.Destination == destination })
}

// CustomCount counts the entries that the quota counts.
func (t *Table) CustomCount() int {
	n := 0
	for _, e := range t.Entries {
		if !e.System {
			n++
		}
	}
	return n
}

// Kind is the table's type in the API's words.
func (t *Table) Kind() string {
	if t.System {
		return "System"
	}
	return "Custom"
}

// Users are the vSwitches that use the table, sorted.
func (t *Table) Users() []string {
	ids := []string{}
	for _, s := range t.VPC.VSwitches {
		if s.Uses == t {
			ids = append(ids, s.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// Kind is the entry's type in the API's words.
func (e *Entry) Kind() string {
	if e.System {
		return "System"
	}
	return "Custom"
}

// Family is the entry's IpVersion. The API writes it in either letter case.
func (e *Entry) Family() string {
	if e.Destination.Addr().Is4() {
		return "IPv4"
	}
	return "IPv6"
}

func entryID(serial int) string { return fmt.Sprintf("rte-sim%017d", serial) }

// task is the one asynchronous change that may run in a VPC at a time:
//
//	create: Pending   -> Available
//	modify: Modifying -> Available
//	delete: Deleting  -> gone
//
// The zero task is none.
type task struct {
	running  bool
	ends     time.Time
	entries  []*Entry
	vswitch  *VSwitch // being associated with another table
	vanished []*Entry // accepted, but to disappear at the end
}
