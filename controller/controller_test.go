package controller_test

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry/registrytest"
	"github.com/sealane/sealane/cloud/cloudtest"
	"github.com/sealane/sealane/controller"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a whole cluster in a bubble: fakes for etcd and the cloud, one controller.
type site struct {
	t        *testing.T
	registry *registrytest.Fake
	cloud    *cloudtest.Fake
	blind    *halfBlind // around cloud: what the controller sees
	world    cloudtest.World
	elector  *elector
}

const (
	cluster = "test"
	one     = api.InstanceID("i-bp1small0000000000001")
	two     = api.InstanceID("i-bp1small0000000000002")
	three   = api.InstanceID("i-bp1small0000000000003")
)

// start runs a controller with a full policy and the pool 10.0.0.0/8, and lets its first pass end.
func start(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, registry: registrytest.NewFake(), world: cloudtest.Small()}
	s.cloud = cloudtest.New(s.world)
	s.blind = &halfBlind{Tables: s.cloud}
	s.elector = &elector{token: make(chan struct{}, 1)}
	s.run("controller-1")
	return s
}

// run starts another replica.
func (s *site) run(name string) {
	config := controller.DefaultConfig()
	config.Cluster = cluster
	config.Initial = api.DefaultConfig()
	config.Initial.Policy = api.PolicyFull
	config.Initial.Pools = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	elector := &elector{registry: s.registry, name: name, shared: s.elector}
	c := controller.New(config, s.registry, s.blind, s.cloud, elector, nil, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("Run: %v", err)
		}
	})
	s.after(time.Second)
}

// after lets the cluster go on for a while.
func (s *site) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (s *site) report(id api.InstanceID, subnets ...string) {
	s.t.Helper()
	s.reportOnly(id, subnets...)
	s.after(time.Second)
}

// reportOnly does not wait for what comes of it.
func (s *site) reportOnly(id api.InstanceID, subnets ...string) {
	s.t.Helper()
	r := api.Report{Instance: id, Name: "host-" + string(id[len(id)-1]), VPC: s.world.Network.VPC, Readiness: api.Readiness{Forwarding: true, Rules: true}, At: time.Now()}
	for _, i := range s.world.Instances {
		if i.ID == id {
			r.VSwitch, r.IP = i.VSwitch, i.IP
		}
	}
	for _, p := range subnets {
		r.Subnets = append(r.Subnets, api.Subnet{Prefix: netip.MustParsePrefix(p), Bridge: "docker0"})
	}
	if _, err := s.registry.Report(s.t.Context(), r); err != nil {
		s.t.Fatal(err)
	}
	s.registry.Alive(id)
}

// routes prints every route of both tables as "destination hop" or "destination hop foreign".
func (s *site) routes() []string {
	s.t.Helper()
	var out []string
	for n, table := range s.world.Network.Tables {
		routes, err := s.cloud.Routes(s.t.Context(), table.ID)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, r := range routes {
			line := []string{string('a' + rune(n)), r.Destination.String(), r.NextHop[len(r.NextHop)-1:]}
			if !r.OwnedBy(cluster) {
				line = append(line, "foreign")
			}
			out = append(out, strings.Join(line, " "))
		}
	}
	slices.Sort(out)
	return out
}

func (s *site) want(routes ...string) {
	s.t.Helper()
	if diff := cmp.Diff(routes, s.routes()); diff != "" {
		s.t.Errorf("routes (-want +got):\n%s", diff)
	}
}

func (s *site) status() api.Status {
	s.t.Helper()
	snap, err := s.registry.Snapshot(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return controller.StatusOf(cluster, snap)
}

func (s *site) host(id api.InstanceID) api.HostStatus {
	s.t.Helper()
	for _, h := range s.status().Hosts {
		if h.Instance == id {
			return h
		}
	}
	s.t.Fatalf("no host %s", id)
	return api.HostStatus{}
}

func bubble(t *testing.T, f func(*testing.T)) { synctest.Test(t, f) }

func TestHostsBecomeReady(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		s.want("a 10.0.0.0/24 1") // nobody is on the other table's vSwitch yet
		s.report(two, "10.1.0.0/24")
		s.want("a 10.0.0.0/24 1", "a 10.1.0.0/24 2", "b 10.0.0.0/24 1", "b 10.1.0.0/24 2")
		for _, id := range []api.InstanceID{one, two} {
			if h := s.host(id); h.State != api.HostReady {
				t.Errorf("%s is %s: %s", id, h.State, h.Why)
			}
		}
		for _, r := range s.status().Routes {
			if r.Stage != api.StageWritten || len(r.Tables) != 2 || !r.KeepSource || r.Since.IsZero() {
				t.Errorf("%s: %+v", r.Destination, r)
			}
		}
	})
}

func TestNothingToDoSendsNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		sent := len(s.cloud.Sent())
		s.after(10 * time.Minute)
		if extra := s.cloud.Sent()[sent:]; len(extra) > 0 {
			t.Errorf("twenty passes with nothing to do sent %v", extra)
		}
	})
}

func TestDriftIsRepaired(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		key := api.RouteKey{Table: s.world.Network.Tables[0].ID, Destination: netip.MustParsePrefix("10.0.0.0/24")}
		s.cloud.Remove(key)
		s.after(31 * time.Second)
		s.want("a 10.0.0.0/24 1")
		s.cloud.Point(key, string(two))
		s.after(31 * time.Second)
		s.want("a 10.0.0.0/24 1")
		sent := s.cloud.Sent()
		if got := []api.Reason{sent[1].Reason, sent[2].Reason}; !slices.Equal(got, []api.Reason{api.ReasonDriftMissing, api.ReasonDriftNextHop}) {
			t.Errorf("reasons %v", got)
		}
	})
}

func TestForeignRouteIsLeftAloneAndNamed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.cloud.AddForeign(api.Route{Table: s.world.Network.Tables[0].ID, Destination: netip.MustParsePrefix("10.0.0.0/24"), NextHop: string(three)})
		s.report(one, "10.0.0.0/24")
		s.after(5 * time.Minute)
		s.want("a 10.0.0.0/24 3 foreign")
		if h := s.host(one); h.State != api.HostRefused || !strings.Contains(h.Why, string(three)) {
			t.Errorf("%s: %s", h.State, h.Why)
		}
	})
}

func TestSameSubnetTwice(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/16")
		s.report(three, "10.0.4.0/24")
		s.want("a 10.0.0.0/16 1")
		h := s.host(three)
		if h.State != api.HostRefused || !strings.Contains(h.Why, string(one)) || !strings.Contains(h.Why, string(three)) {
			t.Errorf("the reason must name both: %s: %s", h.State, h.Why)
		}
		if s.host(one).State != api.HostReady {
			t.Errorf("the first must keep it: %+v", s.host(one))
		}
	})
}

func TestBipChanges(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		s.report(one, "10.7.0.0/24")
		s.want("a 10.7.0.0/24 1")
	})
}

func TestSilentHostKeepsItsRoutes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		s.registry.Expire(one)
		s.after(24 * time.Hour)
		s.want("a 10.0.0.0/24 1")
		if h := s.host(one); h.Life != api.LifeSilent || h.State != api.HostDegraded {
			t.Errorf("%s %s", h.Life, h.State)
		}
	})
}

func TestGoneNeedsTwoLooksAndAWitness(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		s.report(three, "10.2.0.0/24")
		s.cloud.RemoveInstance(one)
		s.after(time.Hour) // while its agent is heard it is not gone, whatever the cloud says
		s.want("a 10.0.0.0/24 1", "a 10.2.0.0/24 3")
		if h := s.host(one); h.State != api.HostDegraded {
			t.Errorf("%s: %s", h.State, h.Why)
		}
		s.cloud.AddInstance(s.world.Instances[0])
		s.after(time.Minute)
		s.registry.Expire(one)
		s.cloud.RemoveInstance(one)
		s.after(45 * time.Second)
		s.want("a 10.0.0.0/24 1", "a 10.2.0.0/24 3")
		s.after(2 * time.Minute)
		s.want("a 10.2.0.0/24 3")

		s.registry.Expire(three)
		s.cloud.RemoveInstance(three) // now the cloud knows none of ours: that proves nothing
		s.after(24 * time.Hour)
		s.want("a 10.2.0.0/24 3")
	})
}

func TestSubnetOfAGoneHostIsFreeAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		s.report(three, "10.2.0.0/24")
		s.registry.Expire(one)
		s.cloud.RemoveInstance(one)
		s.report(two, "10.0.0.0/24")
		if h := s.host(two); h.State != api.HostRefused {
			t.Errorf("while its last host may exist the subnet is taken: %s", h.State)
		}
		s.after(5 * time.Minute)
		s.report(two, "10.0.0.0/24") // its agent claims again
		s.after(time.Minute)
		s.want("a 10.0.0.0/24 2", "a 10.2.0.0/24 3", "b 10.0.0.0/24 2", "b 10.2.0.0/24 3")
	})
}

func TestObserveWritesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		config := *s.snapshotConfig()
		config.Policy = api.PolicyObserve
		if err := s.registry.PutConfig(t.Context(), config); err != nil {
			t.Fatal(err)
		}
		s.report(one, "10.0.0.0/24")
		s.after(time.Minute)
		s.want()
		if plan := s.status().Pass.Plan; len(plan.Changes) != 1 || plan.Changes[0].Reason != api.ReasonNewSubnet {
			t.Errorf("the plan must show the change: %s", plan)
		}
		if h := s.host(one); h.State != api.HostRefused || !strings.Contains(h.Why, "observe") {
			t.Errorf("%s: %s", h.State, h.Why)
		}
	})
}

func (s *site) snapshotConfig() *api.Config {
	s.t.Helper()
	snap, err := s.registry.Snapshot(s.t.Context())
	if err != nil || snap.Config == nil {
		s.t.Fatalf("the controller must have written the first configuration: %v", err)
	}
	return snap.Config
}

func TestSourceIsKeptOnlyWhereTheCloudLetsIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		s.report(three, "10.2.0.0/24") // its interface checks source and destination
		kept := map[api.InstanceID]bool{}
		for _, r := range s.status().Routes {
			kept[r.Host] = r.KeepSource
		}
		if !kept[one] || kept[three] {
			t.Errorf("kept %v", kept)
		}
		s.world.Instances[0].Groups, s.world.Instances[0].Admits = nil, nil
		s.cloud.AddInstance(s.world.Instances[0])
		s.after(time.Minute)
		if r := s.status().Routes[0]; r.KeepSource {
			t.Errorf("%s: its security group admits nobody", r.Destination)
		}
	})
}

func TestLeftHostWithdraws(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		s.report(three, "10.2.0.0/24")
		left := api.Report{Instance: one, Name: "host-1", VPC: s.world.Network.VPC, Left: true, At: time.Now()}
		if _, err := s.registry.Report(t.Context(), left); err != nil {
			t.Fatal(err)
		}
		s.after(time.Second)
		s.want("a 10.2.0.0/24 3")
		if h := s.host(one); h.State != api.HostGoneAway {
			t.Errorf("%s", h.State)
		}
	})
}
