package credential

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/api"
)

// issuer gives credentials that hold for a while, numbered, or fails.
type issuer struct {
	lifetime time.Duration
	fails    bool
	repeats  bool // the same one again and again
	asked    int
}

func (i *issuer) fetch(context.Context) (Credential, error) {
	i.asked++
	if i.fails {
		return Credential{}, fmt.Errorf("metadata service: status 500: %w", api.ErrUnreachable)
	}
	c := Credential{ID: canaryID, Secret: canarySecret, Token: Secret(fmt.Sprint(canaryToken, i.asked)), Expires: time.Now().Add(i.lifetime)}
	if i.repeats {
		c.Token = canaryToken
	}
	return c, nil
}

// kept is a Renewer of an issuer's credentials, and what it logs.
func kept(i *issuer) (*Renewer, *strings.Builder) {
	var log strings.Builder
	return newRenewer("role r", slog.New(slog.NewTextHandler(&log, nil)), i.fetch), &log
}

func (i *issuer) want(t *testing.T, k *Renewer, asked int) {
	t.Helper()
	c, err := k.Credential(t.Context())
	if err != nil || !strings.HasPrefix(string(c.Token), canaryToken) {
		t.Errorf("got another credential, %v", err)
	}
	if i.asked != asked {
		t.Errorf("asked %d times, want %d", i.asked, asked)
	}
}

func TestRenewedBeforeTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{lifetime: time.Hour}
		k, log := kept(i)
		i.want(t, k, 1)
		i.want(t, k, 1)
		time.Sleep(49 * time.Minute)
		i.want(t, k, 1)
		time.Sleep(2 * time.Minute)
		i.want(t, k, 2)
		i.want(t, k, 2)
		if n := strings.Count(log.String(), "credentials renewed"); n != 1 {
			t.Errorf("%d lines say so, want 1: %s", n, log)
		}
		leaks(t, log.String())
	})
}

// Where the service has no later ones yet, each request would ask for them.
func TestRenewalIsNotAskedForAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{lifetime: 9 * time.Minute, repeats: true}
		k, log := kept(i)
		for range 3 {
			i.want(t, k, 1)
		}
		time.Sleep(refreshPause)
		i.want(t, k, 2)
		i.want(t, k, 2)
		if log.Len() != 0 {
			t.Errorf("nothing changed, and the log says: %s", log)
		}
	})
}

func TestFailedRenewalKeepsTheFormer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{lifetime: time.Hour}
		k, log := kept(i)
		i.want(t, k, 1)
		i.fails = true
		time.Sleep(50*time.Minute + time.Second)
		i.want(t, k, 2)
		i.want(t, k, 2)
		time.Sleep(refreshPause)
		i.want(t, k, 3)
		time.Sleep(9 * time.Minute)
		i.want(t, k, 4)
		time.Sleep(time.Minute)
		_, err := k.Credential(t.Context())
		if !errors.Is(err, api.ErrUnreachable) || !strings.Contains(err.Error(), "role r ended at ") {
			t.Errorf("got %v, want ErrUnreachable and when they ended", err)
		}
		i.fails = false
		i.want(t, k, 6)
		leaks(t, log.String()+err.Error())
		for message, want := range map[string]int{"the former ones stay in use": 1, "credentials renewed": 1, "\n": 2} {
			if n := strings.Count(log.String(), message); n != want {
				t.Errorf("%q comes %d times, want %d: %s", message, n, want, log)
			}
		}
	})
}

// The cloud judges: what this machine's clock says of a fresh credential does not matter.
func TestFreshAndEndedIsUsed(t *testing.T) {
	i := &issuer{lifetime: -time.Minute}
	k, _ := kept(i)
	i.want(t, k, 1)
	i.want(t, k, 2)
}

func TestNoneYet(t *testing.T) {
	k, log := kept(&issuer{fails: true})
	_, err := k.Credential(t.Context())
	if !errors.Is(err, api.ErrUnreachable) || !strings.HasPrefix(err.Error(), "credentials from role r: ") || log.Len() != 0 {
		t.Errorf("got %v; log %s", err, log)
	}
}

func TestRenew(t *testing.T) {
	for name, test := range map[string]struct {
		issuer issuer
		fresh  bool
		asked  int
		says   string
	}{
		"another":    {issuer{lifetime: time.Hour}, true, 2, "others were fetched"},
		"no other":   {issuer{lifetime: time.Hour, repeats: true}, false, 2, "there are no others"},
		"no service": {issuer{lifetime: time.Hour, fails: true}, false, 2, "not renewed"},
	} {
		t.Run(name, func(t *testing.T) {
			i := test.issuer
			k, log := kept(&i)
			i.fails = false
			old, err := k.Credential(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			i.fails = test.issuer.fails
			got, fresh := k.Renew(t.Context(), old)
			if fresh != test.fresh || fresh == got.signsAs(old) || i.asked != test.asked || !strings.Contains(log.String(), test.says) {
				t.Errorf("got fresh %t after %d requests: %s", fresh, i.asked, log)
			}
			if !fresh {
				return
			}
			// The second of two requests that met the end together finds it done.
			if again, ok := k.Renew(t.Context(), old); !ok || !again.signsAs(got) || i.asked != test.asked {
				t.Errorf("the second request: %t after %d requests", ok, i.asked)
			}
		})
	}
}

// A caller that waits for another's renewal goes when its context ends.
func TestWaitingEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		k := newRenewer("role r", slog.New(slog.DiscardHandler), func(context.Context) (Credential, error) {
			<-release
			return Credential{ID: canaryID}, nil
		})
		first := make(chan error)
		go func() { _, err := k.Credential(t.Context()); first <- err }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := k.Credential(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if _, ok := k.Renew(ctx, Credential{}); ok {
			t.Error("renewed without waiting")
		}
		close(release)
		if err := <-first; err != nil {
			t.Error(err)
		}
	})
}
