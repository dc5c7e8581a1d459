package registrytest_test

import (
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry/registrytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFake(t *testing.T) {
	registrytest.Run(t, func(*testing.T) registrytest.Subject {
		f := registrytest.NewFake()
		return registrytest.Subject{Registry: f, Lead: f.Lead, Garble: f.Garble, Expire: f.Expire}
	})
}

func TestFakeFailsAndLags(t *testing.T) {
	f := registrytest.NewFake()
	f.Fail(api.ErrUnreachable)
	if _, err := f.Snapshot(t.Context()); !errors.Is(err, api.ErrUnreachable) {
		t.Errorf("failing Snapshot: %v", err)
	}
	f.Fail(nil)
	f.Lag(true)
	if _, err := f.Report(t.Context(), api.Report{Instance: "i-a", Name: "a"}); err != nil {
		t.Fatal(err)
	}
	if s, err := f.Snapshot(t.Context()); err != nil || len(s.Hosts) != 0 {
		t.Errorf("lagging Snapshot: %+v, %v", s, err)
	}
	f.Lag(false)
	if s, err := f.Snapshot(t.Context()); err != nil || len(s.Hosts) != 1 {
		t.Errorf("Snapshot: %+v, %v", s, err)
	}
	f.Garble("hosts/i-b", false)
	want := "host i-a (a) invalid IP registered\nunreadable /sealane/fake/v1/hosts/i-b: not a record\n"
	if got := f.String(); got != want {
		t.Errorf("String: %q, want %q", got, want)
	}
	f.Mend("hosts/i-b")
	if s, err := f.Snapshot(t.Context()); err != nil || !s.Complete() {
		t.Errorf("mended Snapshot: %+v, %v", s, err)
	}
}
