package cloudtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// Hand changes the cloud behind the back of the one who is tested, as people and other
// programs do. It panics when it is asked for nonsense, since then the test is wrong.
type Hand interface {
	EntryHand
	MachineHand
}

// EntryHand is a hand in the route tables.
type EntryHand interface {
	// AddForeign adds a route at once; it carries r.Mark if that is not zero.
	AddForeign(r api.Route)
	// Remove removes a route at once.
	Remove(api.RouteKey)
	// Point gives a route another instance as next hop and leaves its mark.
	Point(key api.RouteKey, nextHop string)
	// Label gives a route another name and description, as a mark of Seal{} or as none.
	Label(key api.RouteKey, name, description string)
}

// MachineHand is a hand in instances and security groups.
type MachineHand interface {
	// AddInstance starts an instance, or changes the one with its id. What its interfaces
	// admit and emit follows from their groups.
	AddInstance(cloud.Instance)
	// SetGroup makes a security group, or changes the one with its id.
	SetGroup(Group)
	// Rules are those of a security group, in no particular order.
	Rules(api.GroupID) []Rule
}

var _ Hand = (*Fake)(nil)

// AddInstance implements Hand. An interface in no group admits and emits what i says.
func (f *Fake) AddInstance(i cloud.Instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i.ID == "" || i.VPC == "" || !i.IP.IsValid() {
		panic(fmt.Sprintf("cloudtest: instance without id, VPC or address: %+v", i))
	}
	_, rest, _ := strings.Cut(string(i.ID), "-")
	i.Interface.ID = cmp.Or(i.Interface.ID, api.InterfaceID("eni-"+rest))
	i.Others = slices.Clone(i.Others)
	for _, n := range append([]cloud.Interface{i.Interface}, i.Others...) {
		if owner, ok := f.owner(n.ID); n.ID == "" || ok && owner != i.ID {
			panic(fmt.Sprintf("cloudtest: interface %q of %s is without id, or that of %s", n.ID, i.ID, owner))
		}
		for _, g := range n.Groups {
			f.group(g)
		}
	}
	f.instances[i.ID] = i
}

// RemoveInstance releases an instance; routes that point at it stay.
func (f *Fake) RemoveInstance(id api.InstanceID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.instances[id]; !ok {
		panic("cloudtest: no instance " + string(id))
	}
	delete(f.instances, id)
}

// SetGroup implements Hand.
func (f *Fake) SetGroup(g Group) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if g.ID == "" || slices.ContainsFunc(g.Rules, func(r Rule) bool { return !r.Peer.IsValid() || r.Priority < 0 || r.Priority > 100 }) {
		panic(fmt.Sprintf("cloudtest: not a security group: %+v", g))
	}
	g.Rules = slices.Clone(g.Rules)
	f.groups[g.ID] = g
}

// Rules implements Hand.
func (f *Fake) Rules(id api.GroupID) []Rule {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.group(id).Rules)
}

func (f *Fake) group(id api.GroupID) Group {
	g, ok := f.groups[id]
	if !ok {
		panic("cloudtest: no security group " + string(id))
	}
	return g
}

// SetNetwork changes vSwitches, tables and quotas. Routes of tables that are gone go too.
func (f *Fake) SetNetwork(n cloud.Network) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.network = clone(n)
	maps.DeleteFunc(f.routes, func(key api.RouteKey, _ api.Route) bool {
		_, ok := f.table(key.Table)
		return !ok
	})
}

// AddForeign implements Hand.
func (f *Fake) AddForeign(r api.Route) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.table(r.Table); !ok || !r.Destination.IsValid() || r.NextHop == "" {
		panic(fmt.Sprintf("cloudtest: not a route: %s", r))
	}
	if have, ok := f.routes[r.Key()]; ok {
		panic(fmt.Sprintf("cloudtest: %s is taken by %s", r, have))
	}
	f.lastID++
	r.ID, r.State, r.HopType = fmt.Sprintf("rte-%d", f.lastID), cmp.Or(r.State, api.RouteAvailable), cmp.Or(r.HopType, api.HopInstance)
	f.routes[r.Key()] = r
}

// Remove implements Hand.
func (f *Fake) Remove(key api.RouteKey) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.must(key)
	delete(f.routes, key)
}

// Point implements Hand.
func (f *Fake) Point(key api.RouteKey, nextHop string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.must(key)
	r.NextHop, r.HopType = nextHop, api.HopInstance
	f.routes[key] = r
}

// Label implements Hand.
func (f *Fake) Label(key api.RouteKey, name, description string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.routes[key] = api.Seal{}.Open(f.must(key), name, description)
}

func (f *Fake) must(key api.RouteKey) api.Route {
	r, ok := f.routes[key]
	if !ok {
		panic(fmt.Sprintf("cloudtest: no route %s in %s", key.Destination, key.Table))
	}
	return r
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
