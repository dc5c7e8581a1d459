package controller

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/sealane/sealane/api"
)

// routeStatus gives each desired destination its stage, table by table. Where something could
// not be read, what was published last stays: not knowing is no news.
func routeStatus(snap api.Snapshot, want []api.Route, v view, p api.Plan, pools []netip.Prefix, now time.Time) []api.RouteStatus {
	have := map[api.RouteKey]api.Route{}
	for _, r := range v.have {
		have[r.Key()] = r
	}
	held := map[api.RouteKey]api.Held{}
	for _, h := range p.Held {
		held[h.Change.Route.Key()] = h
	}
	before := map[netip.Prefix]api.RouteStatus{}
	for _, b := range snap.Routes {
		before[b.Destination] = b
	}

	var out []api.RouteStatus
	for _, w := range want { // sorted by destination, then table
		if len(out) == 0 || out[len(out)-1].Destination != w.Destination {
			out = append(out, newStatus(w, before[w.Destination], v, pools))
		}
		s := &out[len(out)-1]
		in := inTable(w, have, held, before[w.Destination])
		if slices.Contains(v.unread, w.Table) {
			in = unreadTable(before[w.Destination], w)
		}
		s.Tables[w.Table] = in
		if in.Stage == api.StageWanted && s.Stage != api.StageWanted {
			s.Stage, s.Reason = api.StageWanted, in.Reason
		}
	}
	for i := range out {
		out[i].Since = now
		out[i].KeepSource = out[i].KeepSource && configOf(snap).SourceMode == api.SourceKeep
		if b, ok := before[out[i].Destination]; ok && b.Stage == out[i].Stage && b.Host == out[i].Host {
			out[i].Since = b.Since
		}
	}
	if snap.Complete() {
		return out
	}
	return keepUnread(out, snap.Routes)
}

// uplinkOf is the secondary interface that a route leads to; empty for the primary one.
func uplinkOf(r api.Route) api.InterfaceID {
	if r.HopType == api.HopInterface {
		return api.InterfaceID(r.NextHop)
	}
	return ""
}

func newStatus(w api.Route, before api.RouteStatus, v view, pools []netip.Prefix) api.RouteStatus {
	s := api.RouteStatus{
		Destination: w.Destination, Host: w.Mark.Host, Stage: api.StageWritten,
		Tables: map[api.TableID]api.InTable{}, KeepSource: before.KeepSource && before.Host == w.Mark.Host,
	}
	if i, ok := v.instances[w.Mark.Host]; ok {
		uplink, known := i.Uplink(uplinkOf(w))
		s.KeepSource = known && passesSources(uplink, pools)
	}
	return s
}

func inTable(w api.Route, have map[api.RouteKey]api.Route, held map[api.RouteKey]api.Held, before api.RouteStatus) api.InTable {
	h, ok := have[w.Key()]
	if ok && h.State == api.RouteAvailable && h.SameTarget(w) && h.Mark.Same(w.Mark) {
		return api.InTable{Stage: api.StageWritten}
	}
	if hold, ok := held[w.Key()]; ok {
		return api.InTable{Stage: api.StageWanted, Reason: hold.Reason, Detail: hold.Detail}
	}
	if ok && h.State != api.RouteAvailable {
		return api.InTable{Stage: api.StageWanted, Reason: api.ReasonInTransition, Detail: fmt.Sprintf("the route is %s", h.State)}
	}
	last := before.Tables[w.Table]
	failed := []api.Reason{api.ReasonCloudError, api.ReasonQuota, api.ReasonForeignRoute} // as reasonOf has it
	if last.Stage == api.StageWanted && slices.Contains(failed, last.Reason) && before.Host == w.Mark.Host {
		return last // it is tried again: until then the cause of the last failure stands
	}
	return api.InTable{Stage: api.StageWanted}
}

func unreadTable(before api.RouteStatus, w api.Route) api.InTable {
	if in, ok := before.Tables[w.Table]; ok && before.Host == w.Mark.Host {
		return in
	}
	return api.InTable{Stage: api.StageWanted, Reason: api.ReasonCloudIncomplete}
}

// keepUnread keeps published destinations whose host's record cannot be read now.
func keepUnread(now, before []api.RouteStatus) []api.RouteStatus {
	for _, b := range before {
		if !slices.ContainsFunc(now, func(s api.RouteStatus) bool { return s.Destination.Overlaps(b.Destination) }) {
			now = append(now, b)
		}
	}
	slices.SortFunc(now, func(a, b api.RouteStatus) int { return api.ComparePrefixes(a.Destination, b.Destination) })
	return now
}
