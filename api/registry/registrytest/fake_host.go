package registrytest

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/sealane/sealane/api"
)

// lease is the presence of a host.
type lease struct {
	since  time.Time
	bootID string
	expiry *time.Timer
}

// Report writes the record, takes and releases claims, and returns what it refused.
func (f *Fake) Report(ctx context.Context, r api.Report) ([]api.Conflict, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.usable(ctx, "report host "+string(r.Instance)); err != nil {
		return nil, err
	}
	if r.Instance == "" || strings.ContainsAny(string(r.Instance), "/ ") || len(r.Subnets) > 100 {
		return nil, fmt.Errorf("report of %q: %w", r.Instance, api.ErrInvalid)
	}
	for _, s := range r.Subnets {
		if !s.Prefix.IsValid() || s.Prefix != s.Prefix.Masked() {
			return nil, fmt.Errorf("report of %s: subnet %s: %w", r.Instance, s.Prefix, api.ErrInvalid)
		}
	}
	key := "hosts/" + string(r.Instance)
	if f.unreadable[key] {
		return nil, fmt.Errorf("record %s is of a newer version: %w", key, api.ErrRefused)
	}
	delete(f.unreadable, key)
	was, known := f.hosts[r.Instance]
	news := !known || !was.Equal(r)
	if news {
		f.hosts[r.Instance] = clone(r)
		f.written[r.Instance] = f.revision + 1
	}
	conflicts, moved := f.claim(r)
	if news || moved {
		f.changed(api.AreaHosts)
	}
	return conflicts, nil
}

// claim brings the host's claims in line with its report; moved says that some changed.
func (f *Fake) claim(r api.Report) (conflicts []api.Conflict, moved bool) {
	wanted := map[netip.Prefix]bool{}
	for _, s := range r.Subnets {
		if r.Left || wanted[s.Prefix] {
			continue
		}
		wanted[s.Prefix] = true
		if f.claims[s.Prefix].Instance == r.Instance {
			continue
		}
		if c := f.refusal(s.Prefix, r.Instance); c.Reason != "" {
			c.Destination, c.Host, c.HostName = s.Prefix, r.Instance, r.Name
			conflicts = append(conflicts, c)
			continue
		}
		f.claims[s.Prefix] = api.Claim{Prefix: s.Prefix, Instance: r.Instance, Since: time.Now().UTC(), Revision: f.revision + 1}
		moved = true
	}
	for p, c := range f.claims {
		if c.Instance == r.Instance && !wanted[p] {
			delete(f.claims, p)
			moved = true
		}
	}
	return conflicts, moved
}

// refusal has no reason when the host may take the prefix.
func (f *Fake) refusal(p netip.Prefix, id api.InstanceID) api.Conflict {
	switch {
	case p.Addr().Is4In6():
		return api.Conflict{Reason: api.ReasonNoPrefix}
	case p.Addr().Is4() && p.Bits() < 8, p.Addr().Is6() && p.Bits() < 32:
		return api.Conflict{Reason: api.ReasonReserved}
	}
	for _, c := range f.claims {
		if c.Instance != id && c.Prefix.Overlaps(p) {
			holder := api.Host{Report: f.hosts[c.Instance]}
			holder.Instance = c.Instance
			return api.Conflict{Reason: api.ReasonOverlapsClaim, With: c.Prefix, Holder: holder.Label()}
		}
	}
	for key := range f.unreadable {
		name, isClaim := strings.CutPrefix(key, "subnets/")
		held, err := netip.ParsePrefix(strings.Replace(name, "_", "/", 1))
		if isClaim && err == nil && held.Overlaps(p) {
			return api.Conflict{Reason: api.ReasonOverlapsClaim, With: held, Holder: "an unreadable record"}
		}
	}
	return api.Conflict{}
}

func (f *Fake) life(id api.InstanceID) api.Life {
	switch {
	case f.hosts[id].Left:
		return api.LifeLeft
	case f.alive[id] != nil:
		return api.LifeAlive
	case f.seen[id]:
		return api.LifeSilent
	default:
		return api.LifeRegistered
	}
}

// KeepAlive shows the host as alive until ttl after the context's end.
func (f *Fake) KeepAlive(ctx context.Context, id api.InstanceID, bootID string, ttl time.Duration) error {
	if id == "" || strings.ContainsAny(string(id), "/ ") {
		return fmt.Errorf("instance id %q: %w", id, api.ErrInvalid)
	}
	beat := time.NewTicker(ttl / 3)
	defer beat.Stop()
	for ctx.Err() == nil {
		f.renew(id, bootID, ttl)
		select {
		case <-beat.C:
		case <-ctx.Done():
		}
	}
	return nil
}

func (f *Fake) renew(id api.InstanceID, bootID string, ttl time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failure != nil {
		return
	}
	if l := f.alive[id]; l != nil && l.bootID == bootID {
		l.expiry.Reset(ttl)
		return
	}
	f.appear(id, bootID).expiry = time.AfterFunc(ttl, func() { f.Expire(id) })
}

func (f *Fake) appear(id api.InstanceID, bootID string) *lease {
	if l := f.alive[id]; l != nil && l.expiry != nil {
		l.expiry.Stop()
	}
	l := &lease{since: time.Now().UTC(), bootID: bootID}
	f.alive[id], f.seen[id] = l, true
	f.changed(api.AreaHosts)
	return l
}

// Alive shows the host as alive until Expire.
func (f *Fake) Alive(id api.InstanceID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.appear(id, "boot")
}

// Expire ends the host's lease.
func (f *Fake) Expire(id api.InstanceID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.alive[id] != nil {
		delete(f.alive, id)
		f.changed(api.AreaHosts)
	}
}
