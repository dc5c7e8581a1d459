package cloudtest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

func TestFake(t *testing.T) {
	Run(t, func(*testing.T) Subject {
		f := New(Small())
		return Subject{Tables: f, Gates: f, Hand: f}
	})
}

// three returns a fake and three creates for it.
func three() (*Fake, []api.Change) {
	s := &suite{world: Small()}
	return New(Small()), creates(s.many(0, 0, 3)...)
}

func kinds(results []cloud.Result) []error {
	var errs []error
	for _, r := range results {
		for _, kind := range []error{api.ErrThrottled, api.ErrDenied, api.ErrBusy, api.ErrUnknown, context.Canceled} {
			if errors.Is(r.Err, kind) {
				r.Err = kind
			}
		}
		errs = append(errs, r.Err)
	}
	return errs
}

func TestFakeFaults(t *testing.T) {
	for name, test := range map[string]struct {
		faults Faults
		want   []error
		routes int // made in the end
	}{
		"throttled": {Faults{Throttled: 1}, []error{api.ErrThrottled, api.ErrThrottled, api.ErrThrottled}, 0},
		"busy":      {Faults{Busy: 2}, []error{api.ErrBusy, api.ErrBusy, nil}, 1},
		"lost":      {Faults{Lost: 1}, []error{api.ErrUnknown, nil, nil}, 3},
		"lies":      {Faults{Lies: 1}, []error{nil, nil, nil}, 2},
		"none":      {Faults{}, []error{nil, nil, nil}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			f, changes := three()
			f.Break(test.faults)
			results, err := f.Apply(t.Context(), changes, cloud.Always)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, kinds(results), cmpopts.EquateErrors()); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
			f.Break(Faults{})
			if routes, err := f.Routes(t.Context(), changes[0].Route.Table); err != nil || len(routes) != test.routes {
				t.Errorf("got %d routes, %v; want %d", len(routes), err, test.routes)
			}
		})
	}
}

func TestFakeFailsWholeCalls(t *testing.T) {
	f, changes := three()
	for _, test := range []struct {
		faults Faults
		want   error
	}{{Faults{Denied: true}, api.ErrDenied}, {Faults{Failing: 2}, api.ErrUnreachable}} {
		f.Break(test.faults)
		if results, err := f.Apply(t.Context(), changes, cloud.Always); !errors.Is(err, test.want) || results != nil {
			t.Errorf("apply: got %v, %v; want %v", results, err, test.want)
		}
		if _, err := f.Network(t.Context()); !errors.Is(err, test.want) {
			t.Errorf("network: got %v, want %v", err, test.want)
		}
		f.Break(test.faults)
		_, err := f.Revoke(t.Context(), Basic, "c", cloud.Always)
		for _, err := range []error{err, f.Admit(t.Context(), Basic, "c", pools("11.0.0.0/8"), cloud.Always)} {
			if !errors.Is(err, test.want) || len(f.Rules(Basic)) != 1 {
				t.Errorf("gates: got %v, want %v", err, test.want)
			}
		}
	}
	if sent := f.Sent(); len(sent) != 0 {
		t.Errorf("sent %v", sent)
	}
}

func TestFakeSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := three()
		f.Break(Faults{Slow: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := f.Network(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %s, want the context's second", took)
		}
	})
}

func TestFakePrintsItself(t *testing.T) {
	f, changes := three()
	if _, err := f.Apply(t.Context(), changes[:1], cloud.Always); err != nil {
		t.Fatal(err)
	}
	s := &suite{world: Small()}
	f.AddForeign(s.foreign(1, 7, 1))
	want := `vpc vpc-bp1small0000000000001 192.168.0.0/16 172.31.0.0/16 2001:db8:1::/56
vswitch vsw-bp1small0000000000001 192.168.0.0/24 table vtb-bp1small0000000000001
vswitch vsw-bp1small0000000000002 192.168.1.0/24 table vtb-bp1small0000000000002
table vtb-bp1small0000000000001 1 of 200
  10.0.0.0/24 -> i-bp1small0000000000001 sealane/suite/i-bp1small0000000000001
table vtb-bp1small0000000000002 1 of 200
  10.0.7.0/24 -> i-bp1small0000000000002 foreign
instance i-bp1small0000000000001 Running 192.168.0.11 vsw-bp1small0000000000001
instance i-bp1small0000000000002 Running 192.168.1.12 vsw-bp1small0000000000002
instance i-bp1small0000000000003 Stopped 192.168.0.13 vsw-bp1small0000000000001
`
	if diff := cmp.Diff(want, f.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFakeRefusesNonsenseOfTheHand(t *testing.T) {
	s := &suite{world: Small()}
	for name, act := range map[string]func(*Fake){
		"taken destination": func(f *Fake) { f.AddForeign(s.foreign(0, 1, 0)); f.AddForeign(s.foreign(0, 1, 1)) },
		"unknown table":     func(f *Fake) { f.AddForeign(api.Route{Table: "x", Destination: subnet(1), NextHop: "i-1"}) },
		"absent route":      func(f *Fake) { f.Remove(s.foreign(0, 1, 0).Key()) },
		"absent instance":   func(f *Fake) { f.RemoveInstance("i-9") },
		"empty instance":    func(f *Fake) { f.AddInstance(cloud.Instance{}) },
		"another's interface": func(f *Fake) {
			i := Small().Instances[0]
			i.ID = "i-9"
			f.AddInstance(i)
		},
		"absent group": func(f *Fake) {
			i := Small().Instances[0]
			i.Groups = []api.GroupID{"sg-9"}
			f.AddInstance(i)
		},
		"rule for nobody":   func(f *Fake) { f.SetGroup(Group{ID: Basic, Rules: []Rule{{}}}) },
		"rules of no group": func(f *Fake) { f.Rules("sg-9") },
		"label of no route": func(f *Fake) { f.Label(s.foreign(0, 1, 0).Key(), "", "") },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			act(New(Small()))
		})
	}
}

// An interface in no group admits and emits what a test says.
func TestFakeInNoGroup(t *testing.T) {
	f := New(Small())
	i := Small().Instances[0]
	i.Groups, i.Admits, i.Emits = nil, pools("10.0.0.0/9"), nil
	f.AddInstance(i)
	got, err := f.Instances(t.Context(), []api.InstanceID{i.ID})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]cloud.Instance{i}, got, netipByValue(), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
