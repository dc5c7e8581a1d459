package credential

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/metadata"
)

const (
	// refreshBefore is how long before its end a role's credential is renewed. The service
	// hands out new ones about half an hour before.
	refreshBefore = 10 * time.Minute

	// refreshPause is the least time between two attempts while the former one is good.
	refreshPause = 30 * time.Second
)

// Renewer renews credentials before they end, and keeps the former ones while no others can
// be had. Its methods may be called from several goroutines.
type Renewer struct {
	what   string // they come from, for logs and errors
	fetch  func(context.Context) (Credential, error)
	always bool // fetch for every request
	log    *slog.Logger

	turn    chan struct{} // holds one token, which guards what follows
	last    *Credential   // the present one; a pointer, of which fmt prints no more than the address
	tried   time.Time     // last attempt to renew it
	failing bool          // that attempt failed
}

// FromFile reads the credentials file once, so that a mistake in it is found at start, and again
// for each request: that is simpler than to notice every way in which a file can be replaced.
// Errors are ErrInvalid, ErrNotFound and ErrPermission.
func FromFile(path string, log *slog.Logger) (*Renewer, error) {
	now, err := readCredentials(path)
	if err != nil {
		return nil, err
	}
	r := newRenewer("file "+path, log, func(context.Context) (Credential, error) { return readCredentials(path) })
	r.always, r.last = true, &now
	return r, nil
}

// FromRole gives the credentials of the RAM role that is attached to this instance, as the
// metadata service hands them out.
func FromRole(name string, service metadata.Client, log *slog.Logger) *Renewer {
	return newRenewer("role "+name, log, func(ctx context.Context) (Credential, error) {
		got, err := service.RoleCredentials(ctx, name)
		return Credential{Secret(got.KeyID), Secret(got.Secret), Secret(got.Token), got.Expires}, err
	})
}

func newRenewer(what string, log *slog.Logger, fetch func(context.Context) (Credential, error)) *Renewer {
	return &Renewer{what: what, fetch: fetch, log: log, turn: make(chan struct{}, 1), last: &Credential{}}
}

// Credential returns one that is good now: a fresh one, or the former one while it is good.
func (r *Renewer) Credential(ctx context.Context) (Credential, error) {
	if err := r.lock(ctx); err != nil {
		return Credential{}, err
	}
	defer r.unlock()
	if !r.due() {
		return *r.last, nil
	}
	err := r.refresh(ctx)
	if err != nil && !r.last.lasts() {
		return Credential{}, r.noCredential(err)
	}
	return *r.last, nil
}

// noCredential is the error when there is no credential at all.
func (r *Renewer) noCredential(err error) error {
	if r.last.ID == "" {
		return fmt.Errorf("credentials from %s: %w", r.what, err)
	}
	return fmt.Errorf("credentials from %s ended at %s and cannot be renewed: %w", r.what, r.last.Expires.Format(time.RFC3339), err)
}

func (r *Renewer) due() bool {
	switch {
	case r.always || !r.last.lasts():
		return true
	case r.last.Expires.IsZero():
		return false
	}
	return time.Until(r.last.Expires) < refreshBefore && time.Since(r.tried) >= refreshPause
}

// Renew is told that the cloud did not take a credential any more. It fetches once, unless another request did since. A credential that the cloud found
// expired may look good here: clocks differ, and tokens can be revoked.
func (r *Renewer) Renew(ctx context.Context, expired Credential) (Credential, bool) {
	if r.lock(ctx) != nil {
		return Credential{}, false
	}
	defer r.unlock()
	if !r.last.signsAs(expired) {
		return *r.last, true
	}
	err := r.refresh(ctx)
	fresh := err == nil && !r.last.signsAs(expired)
	if fresh {
		r.log.Warn("the cloud found the credentials expired, others were fetched", api.KeyDetail, r.what)
	} else if err == nil {
		r.log.Warn("the cloud found the credentials expired, and there are no others", api.KeyDetail, r.what)
	}
	return *r.last, fresh
}

// refresh fetches a credential, and says so when it is another one, when that fails for the
// first time, and when it works again.
func (r *Renewer) refresh(ctx context.Context) error {
	r.tried = time.Now()
	news, err := r.fetch(ctx)
	if err != nil {
		if !r.failing && r.last.lasts() && ctx.Err() == nil {
			r.log.Warn("credentials not renewed, the former ones stay in use", api.KeyDetail, r.what, api.KeyError, err)
			r.failing = true
		}
		return err
	}
	if r.failing || r.last.ID != "" && !r.last.signsAs(news) {
		r.log.Info("credentials renewed", api.KeyDetail, r.what)
	}
	r.last, r.failing = &news, false
	return nil
}

func (r *Renewer) lock(ctx context.Context) error {
	select {
	case r.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("credentials from %s: %w", r.what, ctx.Err())
	}
}

func (r *Renewer) unlock() { <-r.turn }
