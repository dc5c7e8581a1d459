package cloudtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// Hand changes the cloud behind the back of the one who is tested, as people and other
// programs do. It panics when it is asked for nonsense, since then the test is wrong.
type Hand interface {
	// AddInstance starts an instance, or changes the one with its id.
	AddInstance(cloud.Instance)
	// AddForeign adds an entry at once; it carries r.Mark if that is not zero.
	AddForeign(r api.Route)
	// Remove removes an entry at once.
	Remove(api.RouteKey)
	// Point gives an entry another next hop and leaves its mark.
	Point(key api.RouteKey, nextHop string)
}

var _ Hand = (*Fake)(nil)

// AddInstance implements Hand.
func (f *Fake) AddInstance(i cloud.Instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i.ID == "" || i.VPC == "" || !i.IP.IsValid() {
		panic(fmt.Sprintf("cloudtest: instance without id, VPC or address: %+v", i))
	}
	f.instances[i.ID] = i
}

// RemoveInstance releases an instance; entries that point at it stay.
func (f *Fake) RemoveInstance(id api.InstanceID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.instances[id]; !ok {
		panic("cloudtest: no instance " + string(id))
	}
	delete(f.instances, id)
}

// SetNetwork changes vSwitches, tables and quotas. Entries of tables that are gone go too.
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
	f.entries++
	r.ID, r.State, r.HopType = fmt.Sprintf("rte-%d", f.entries), cmp.Or(r.State, api.RouteAvailable), cmp.Or(r.HopType, api.HopInstance)
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
	r.NextHop = nextHop
	f.routes[key] = r
}

func (f *Fake) must(key api.RouteKey) api.Route {
	r, ok := f.routes[key]
	if !ok {
		panic(fmt.Sprintf("cloudtest: no entry %s in %s", key.Destination, key.Table))
	}
	return r
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
