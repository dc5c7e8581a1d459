package registrytest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/sealane/sealane/api"
)

// Config returns the configuration, or ErrNotFound.
func (f *Fake) Config(ctx context.Context) (api.Config, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.usable(ctx, "read the configuration"); err != nil {
		return api.Config{}, err
	}
	if _, garbled := f.unreadable["config"]; garbled {
		return api.Config{}, fmt.Errorf("record config: %w", api.ErrInvalid)
	}
	if f.config == nil {
		return api.Config{}, fmt.Errorf("record config: %w", api.ErrNotFound)
	}
	return clone(*f.config), nil
}

// PutConfig writes the configuration.
func (f *Fake) PutConfig(ctx context.Context, c api.Config) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.unreadable["config"] {
		return fmt.Errorf("record config is of a newer version: %w", api.ErrRefused)
	}
	return f.writeConfig(ctx, c)
}

// CreateConfig writes the configuration if there is none.
func (f *Fake) CreateConfig(ctx context.Context, c api.Config) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, garbled := f.unreadable["config"]; garbled || f.config != nil {
		return false, errors.Join(c.Validate(), f.usable(ctx, "write the configuration"))
	}
	err := f.writeConfig(ctx, c)
	return err == nil, err
}

func (f *Fake) writeConfig(ctx context.Context, c api.Config) error {
	if err := errors.Join(c.Validate(), f.usable(ctx, "write the configuration")); err != nil {
		return err
	}
	delete(f.unreadable, "config")
	c = clone(c)
	f.config = &c
	f.changed(api.AreaConfig)
	return nil
}

// Publish writes the leader's publication if the term holds.
func (f *Fake) Publish(ctx context.Context, term api.Term, p api.Publication) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.usable(ctx, "publish"); err != nil {
		return err
	}
	if term != f.term || term.Revision == 0 {
		return fmt.Errorf("publish in term %d: %w", term.Revision, api.ErrDeposed)
	}
	if err := checkRoutes(p.Routes); err != nil {
		return err
	}
	moved, refused := f.publishRoutes(p.Routes)
	f.release(p.Release)
	for _, a := range p.Applied {
		a.Term = term
		f.applied = append(f.applied, clone(a))
	}
	f.applied = f.applied[max(0, len(f.applied)-changesKept):]
	if moved {
		f.changed(api.AreaRoutes)
	}
	if f.unreadable["pass"] {
		return errors.Join(refused, newer("pass"))
	}
	delete(f.unreadable, "pass")
	pass := clone(p.Pass)
	f.pass = &pass
	f.changed(api.AreaPass)
	return refused
}

// release removes the claims of hosts that are gone.
func (f *Fake) release(gone []api.InstanceID) {
	for prefix, claim := range f.claims {
		if slices.Contains(gone, claim.Instance) {
			delete(f.claims, prefix)
			f.changed(api.AreaHosts)
		}
	}
}

func newer(key string) error {
	return fmt.Errorf("record %s is of a newer version: %w", key, api.ErrRefused)
}

func checkRoutes(routes []api.RouteStatus) error {
	seen := map[netip.Prefix]bool{}
	for _, r := range routes {
		if !r.Destination.IsValid() || r.Destination != r.Destination.Masked() || seen[r.Destination] {
			return fmt.Errorf("publish route %s: %w", r.Destination, api.ErrInvalid)
		}
		seen[r.Destination] = true
	}
	return nil
}

// publishRoutes reports whether a record changed, and which it could not write.
func (f *Fake) publishRoutes(routes []api.RouteStatus) (moved bool, refused error) {
	wanted := map[netip.Prefix]bool{}
	for _, r := range routes {
		wanted[r.Destination] = true
		key := prefixKey("routes/", r.Destination)
		if f.unreadable[key] {
			refused = errors.Join(refused, newer(key))
			continue
		}
		was, known := f.routes[r.Destination]
		switch {
		case known && was.Equal(r):
			continue
		case known && was.Stage == r.Stage && was.Host == r.Host:
			r.Since = was.Since
		case r.Since.IsZero():
			r.Since = time.Now().UTC()
		}
		delete(f.unreadable, key)
		f.routes[r.Destination] = clone(r)
		moved = true
	}
	for p := range f.routes {
		if !wanted[p] {
			delete(f.routes, p)
			moved = true
		}
	}
	return moved, refused
}

// Changes returns the newest applied changes, newest first.
func (f *Fake) Changes(ctx context.Context, limit int) ([]api.Applied, []api.Unreadable, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.usable(ctx, "read the changes"); err != nil {
		return nil, nil, err
	}
	newest := slices.Clone(f.applied)
	slices.Reverse(newest)
	return newest[:min(limit, len(newest))], nil, nil
}
