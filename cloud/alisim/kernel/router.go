package kernel

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim"
)

const (
	// protocol marks our routes and rules in the kernel.
	protocol = 201
	// Priorities of our rules; the one that looks in table main has 32766.
	beforeMain, afterMain = 1000, 33000
)

// router is the kernel's side in one namespace.
type router struct {
	handle   *netlink.Handle
	firewall *firewall
	log      *slog.Logger
}

// syncKernel makes the kernel like the simulator, from whatever it was. It adds before it deletes,
// and goes on after an error.
func (r router) syncKernel(world alisim.Seed, plugged map[string]Port) error {
	links, err := r.upLinks()
	if err != nil {
		return err
	}
	have, err := r.readState(routedFamilies(world))
	if err != nil {
		return err
	}
	ports := portsOf(world, plugged)
	want := wantedState(world, ports, links)
	// Before the routes: what a group keeps out must not slip in by a new one.
	errs := []error{r.syncFilter(filterOf(world, ports, plugged))}
	for p, t := range want.routes {
		if have.routes[p] != t {
			errs = append(errs, r.changeRoute("replace route", p, t, r.handle.RouteReplace))
		}
	}
	for k := range want.rules {
		if !have.rules[k] {
			errs = append(errs, r.changeRule("add rule", k, r.handle.RuleAdd))
		}
	}
	for k := range have.rules {
		if !want.rules[k] {
			errs = append(errs, r.changeRule("delete rule", k, r.handle.RuleDel))
		}
	}
	for p, t := range have.routes {
		if _, wanted := want.routes[p]; !wanted {
			errs = append(errs, r.changeRoute("delete route", p, t, r.handle.RouteDel))
		}
	}
	return errors.Join(errs...)
}

// upLinks are the interfaces that are up.
func (r router) upLinks() (map[string]int, error) {
	all, err := r.handle.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	up := map[string]int{}
	for _, l := range all {
		if a := l.Attrs(); a.Flags&net.FlagUp != 0 {
			up[a.Name] = a.Index
		}
	}
	return up, nil
}

// syncFilter makes the ports let pass what the filter says.
func (r router) syncFilter(f filter) error {
	changed, err := r.firewall.syncTable(f)
	if changed {
		r.log.Info("simulated VPC changed", api.KeyVerb, "write filter", api.KeyTable, tableName)
	}
	return err
}

// readState lists what in the kernel is ours, by its protocol number.
func (r router) readState(ips []family) (state, error) {
	have := state{map[routeKey]target{}, map[rule]bool{}}
	for _, ip := range ips {
		// Table 0: of every table.
		routes, err := r.handle.RouteListFiltered(ip.netlink, &netlink.Route{Protocol: protocol}, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_PROTOCOL)
		if err != nil {
			return state{}, fmt.Errorf("list routes: %w", err)
		}
		for _, k := range routes {
			t := target{kind: k.Type}
			if k.Type == unix.RTN_UNICAST {
				via, _ := netip.AddrFromSlice(k.Gw)
				t.via, t.link = via.Unmap(), k.LinkIndex
			}
			have.routes[routeKey{k.Table, ip.prefixOf(k.Dst)}] = t
		}
		rules, err := r.handle.RuleList(ip.netlink)
		if err != nil {
			return state{}, fmt.Errorf("list rules: %w", err)
		}
		for _, k := range rules {
			if k.Protocol == protocol {
				have.rules[rule{ip.netlink, k.Priority, k.IifName, k.Table}] = true
			}
		}
	}
	return have, nil
}

func (r router) changeRoute(verb string, p routeKey, t target, call func(*netlink.Route) error) error {
	k := &netlink.Route{
		Family: familyOf(p.destination.Addr()).netlink, Table: p.table, Protocol: protocol, Type: t.kind, Dst: ipNet(p.destination),
	}
	if t.kind == unix.RTN_UNICAST {
		// onlink: the instance's address need not be in a range of the port.
		k.Gw, k.LinkIndex, k.Flags = t.via.AsSlice(), t.link, int(netlink.FLAG_ONLINK)
	}
	if err := call(k); err != nil {
		return fmt.Errorf("%s %s in table %d: %w", verb, p.destination, p.table, err)
	}
	r.log.Info("simulated VPC changed", api.KeyVerb, verb, api.KeyDestination, p.destination, api.KeyTable, p.table, api.KeyNextHop, t.via)
	return nil
}

func (r router) changeRule(verb string, k rule, call func(*netlink.Rule) error) error {
	n := netlink.NewRule()
	n.Family, n.Priority, n.IifName, n.Table, n.Protocol = k.netlink, k.priority, k.link, k.table, protocol
	if err := call(n); err != nil {
		return fmt.Errorf("%s for %s to table %d: %w", verb, k.link, k.table, err)
	}
	r.log.Info("simulated VPC changed", api.KeyVerb, verb, api.KeyTable, k.table, api.KeyDetail, k.link)
	return nil
}
