package alicloud

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/sealane/sealane/api"
)

const (
	// refreshBefore is how long before its end a role's credential is renewed. The service
	// hands out new ones about half an hour before.
	refreshBefore = 10 * time.Minute

	// refreshPause is the least time between two attempts while the former one is good.
	refreshPause = 30 * time.Second
)

// keeper renews credentials before they end, and keeps the former ones while no others can
// be had.
type keeper struct {
	what   string // they come from, for logs and errors
	fetch  func(context.Context) (credential, error)
	always bool // fetch for every request
	log    *slog.Logger

	turn    chan struct{} // holds one token, which guards what follows
	last    *credential   // the present one; a pointer, of which fmt prints no more than the address
	tried   time.Time     // last attempt to renew it
	failing bool          // that attempt failed
}

func newKeeper(what string, log *slog.Logger, fetch func(context.Context) (credential, error)) *keeper {
	return &keeper{what: what, fetch: fetch, log: log, turn: make(chan struct{}, 1), last: &credential{}}
}

// credential returns a fresh one, or the former one while it is good.
func (k *keeper) credential(ctx context.Context) (credential, error) {
	if err := k.enter(ctx); err != nil {
		return credential{}, err
	}
	defer k.leave()
	if !k.due() {
		return *k.last, nil
	}
	err := k.refresh(ctx)
	if err != nil && !k.last.lasts() {
		return credential{}, k.without(err)
	}
	return *k.last, nil
}

// without is the error when there is no credential at all.
func (k *keeper) without(err error) error {
	if k.last.id == "" {
		return fmt.Errorf("credentials from %s: %w", k.what, err)
	}
	return fmt.Errorf("credentials from %s ended at %s and cannot be renewed: %w", k.what, k.last.expires.Format(time.RFC3339), err)
}

func (k *keeper) due() bool {
	switch {
	case k.always || !k.last.lasts():
		return true
	case k.last.expires.IsZero():
		return false
	}
	return time.Until(k.last.expires) < refreshBefore && time.Since(k.tried) >= refreshPause
}

// renew fetches once, unless another request did since. A credential that the cloud found
// expired may look good here: clocks differ, and tokens can be revoked.
func (k *keeper) renew(ctx context.Context, expired credential) (credential, bool) {
	if k.enter(ctx) != nil {
		return credential{}, false
	}
	defer k.leave()
	if !k.last.same(expired) {
		return *k.last, true
	}
	err := k.refresh(ctx)
	fresh := err == nil && !k.last.same(expired)
	if fresh {
		k.log.Warn("the cloud found the credentials expired, others were fetched", api.KeyDetail, k.what)
	} else if err == nil {
		k.log.Warn("the cloud found the credentials expired, and there are no others", api.KeyDetail, k.what)
	}
	return *k.last, fresh
}

// refresh fetches a credential, and says so when it is another one, when that fails for the
// first time, and when it works again.
func (k *keeper) refresh(ctx context.Context) error {
	k.tried = time.Now()
	news, err := k.fetch(ctx)
	if err != nil {
		if !k.failing && k.last.lasts() && ctx.Err() == nil {
			k.log.Warn("credentials not renewed, the former ones stay in use", api.KeyDetail, k.what, api.KeyError, err)
			k.failing = true
		}
		return err
	}
	if k.failing || k.last.id != "" && !k.last.same(news) {
		k.log.Info("credentials renewed", api.KeyDetail, k.what)
	}
	k.last, k.failing = &news, false
	return nil
}

func (k *keeper) enter(ctx context.Context) error {
	select {
	case k.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("credentials from %s: %w", k.what, ctx.Err())
	}
}

func (k *keeper) leave() { <-k.turn }
