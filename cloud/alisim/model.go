package alisim

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// world is everything the simulated region holds. It knows no HTTP and is not safe for
// concurrent use: Sim guards it.
type world struct {
	region, zone, account string
	vpcs                  []*vpc
	instances             []*Instance // sorted by id
	serial                int         // of the last entry id given
	rules                 int         // ids given to rules of security groups
	taskTime              time.Duration
	unknownTime           time.Duration
	readings              Readings
	started               map[string]time.Time // instances that came after the start
	born                  time.Time
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

// serviceRange is the system entry that every table has beside its vSwitches': the cloud's
// own services.
func serviceRange() netip.Prefix { return netip.MustParsePrefix("100.64.0.0/10") }

// newWorld builds the model from a seed that was completed and found valid.
func newWorld(seed Seed, opts Options, now time.Time) *world {
	w := &world{
		region: seed.Region, zone: seed.Zone, account: seed.Account, born: now, started: map[string]time.Time{},
		taskTime: opts.TaskTime, unknownTime: opts.UnknownTime, readings: opts.Readings,
	}
	for _, sv := range seed.VPCs {
		w.vpcs = append(w.vpcs, w.newVPC(sv, now))
	}
	for _, si := range seed.Instances {
		w.insert(si)
	}
	return w
}

func (w *world) newVPC(seed VPC, now time.Time) *vpc {
	v := &vpc{VPC: seed, status: Available}
	for _, g := range seed.SecurityGroups {
		v.groups = append(v.groups, &g)
		w.rules += len(g.Ingress) + len(g.Egress)
	}
	for _, st := range seed.Tables {
		v.tables = append(v.tables, &table{Table: st, vpc: v, status: Available})
	}
	for _, ss := range seed.VSwitches {
		v.vswitches = append(v.vswitches, &vswitch{VSwitch: ss, vpc: v, table: v.table(ss.Table), status: Available})
	}
	for _, t := range v.tables {
		w.enter(t, Route{Destination: serviceRange(), NextHopType: "service", System: true, State: Available}, now)
		for _, s := range v.vswitches {
			w.enterSystem(t, s, now)
		}
		for _, r := range t.Routes {
			w.seedRoute(t, r, now)
		}
		t.Routes = nil
	}
	v.VPC.Tables, v.VPC.VSwitches, v.VPC.SecurityGroups = nil, nil, nil
	return v
}

// seedRoute puts a seeded entry into a table. One for a vSwitch is the vSwitch's system entry,
// pointed elsewhere.
func (w *world) seedRoute(t *table, r Route, now time.Time) {
	e := t.entry(r.Destination)
	if e == nil {
		e = w.enter(t, r, now)
	} else {
		was := e.Route
		r.ID = was.ID
		e.Route, e.was = r, &was
	}
	e.stuck = r.State != Available
}

// enterSystem puts the entries for a vSwitch into a table.
func (w *world) enterSystem(t *table, s *vswitch, now time.Time) {
	for _, p := range [...]netip.Prefix{s.CIDR, s.IPv6} {
		if p.IsValid() {
			w.enter(t, Route{Destination: p, NextHopType: "local", System: true, State: Available}, now)
		}
	}
}

// enter puts an entry into a table and gives it an id.
func (w *world) enter(t *table, r Route, now time.Time) *entry {
	w.serial++
	r.ID = entryID(w.serial)
	e := &entry{Route: r, table: t, serial: w.serial, modified: now}
	t.entries = append(t.entries, e)
	return e
}

// checker knows the present world, to check what is added to it.
func (w *world) checker() *checker {
	c := newChecker()
	c.rules = w.rules
	for _, s := range w.vswitches() {
		c.vswitches[s.ID], c.home[s.ID] = s.VSwitch, s.vpc.ID
		c.ids[s.ID] = "vSwitch " + s.ID
	}
	for _, v := range w.vpcs {
		c.ids[v.ID], c.ids[v.VRouter] = "VPC "+v.ID, "VPC "+v.ID
		for _, t := range v.tables {
			c.ids[t.ID] = "table " + t.ID
		}
		for _, g := range v.groups {
			c.ids[g.ID] = "security group " + g.ID
			c.groups[g.ID], c.enterprise[g.ID] = v.ID, g.Type == EnterpriseGroup
		}
	}
	for _, i := range w.instances {
		c.ids[i.ID] = "instance " + i.ID
	}
	for _, n := range w.nics() {
		c.ids[n.Interface.ID], c.ids[n.Interface.MAC] = "instance "+n.Instance.ID, "instance "+n.Instance.ID
		for _, a := range n.Interface.Addresses() {
			c.ids[a.String()] = "instance " + n.Instance.ID
		}
	}
	return c
}

func entryID(serial int) string { return fmt.Sprintf("rte-sim%017d", serial) }

func (w *world) insert(i Instance) {
	w.instances = append(w.instances, &i)
	slices.SortFunc(w.instances, func(a, b *Instance) int { return cmp.Compare(a.ID, b.ID) })
}

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

// find returns the first element that matches, or nil.
func find[T any](all []*T, match func(*T) bool) *T {
	if i := slices.IndexFunc(all, match); i >= 0 {
		return all[i]
	}
	return nil
}

// collect strings together what each element holds.
func collect[T, U any](all []T, held func(T) []U) []U {
	var out []U
	for _, x := range all {
		out = append(out, held(x)...)
	}
	return out
}

// bare is an id without its kind, so that ids can be derived from it: "1" of "vpc-1". One that
// is written in another way stays whole, or two of them would lead to the same id.
func bare(kind, id string) string { return strings.TrimPrefix(id, kind+"-") }
