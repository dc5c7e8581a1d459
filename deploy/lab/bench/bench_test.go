// Package bench measures the whole path of a report: from etcd through the controller and the
// cloud's API to an Available route.
package bench

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry"
	"github.com/sealane/sealane/api/registry/etcdtest"
	"github.com/sealane/sealane/cloud/alicloud"
	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/pace"
	"github.com/sealane/sealane/controller"
	"github.com/sealane/sealane/controller/leader"
)

// What the simulated cloud takes: a read, a write, and the task that a write starts. Calls of
// the real one were seen to take 0.16 to 0.4 s, its tasks seconds.
const (
	readTime  = 200 * time.Millisecond
	writeTime = 200 * time.Millisecond
	taskTime  = 2 * time.Second
)

// site is a cluster of real parts: an etcd, a controller with the real SDK, a simulated cloud.
type site struct {
	sim      *alisim.Sim
	registry *registry.Registry
	tables   int
}

// world is a VPC with n instances, on as many vSwitches as it has route tables.
func world(n, tables int) alisim.Seed {
	group := alisim.SecurityGroup{ID: "sg-bench", Ingress: []alisim.Rule{{Source: netip.MustParsePrefix("0.0.0.0/0")}}}
	v := alisim.VPC{ID: "vpc-bench", CIDR: netip.MustParsePrefix("172.16.0.0/12"), SecurityGroups: []alisim.SecurityGroup{group}}
	for i := range tables {
		v.Tables = append(v.Tables, alisim.Table{ID: fmt.Sprintf("vtb-bench%d", i), System: i == 0, Quota: 2000})
		v.VSwitches = append(v.VSwitches, alisim.VSwitch{
			ID: vswitch(i, tables), CIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{172, byte(16 + i), 0, 0}), 16), Table: v.Tables[i].ID,
		})
	}
	seed := alisim.Seed{VPCs: []alisim.VPC{v}}
	for i := range n {
		seed.Instances = append(seed.Instances, alisim.Instance{
			ID: string(instance(i)), VSwitch: vswitch(i, tables), IP: address(i, tables), SecurityGroups: []string{group.ID},
		})
	}
	return seed
}

// newSite starts one with n instances and no report yet.
func newSite(b *testing.B, n, tables int) *site {
	b.Helper()
	seed := world(n, tables)
	sim, err := alisim.New(seed, alisim.Options{TaskTime: taskTime})
	if err != nil {
		b.Fatal(err)
	}
	cloud := httptest.NewServer(slow(sim.API()))
	b.Cleanup(cloud.Close)
	server := etcdtest.Start(b)
	s := &site{sim: sim, registry: registry.New(server.Client, "bench"), tables: tables}
	provider, err := alicloud.New(alicloud.Config{
		Region: "cn-hangzhou", VPC: "vpc-bench", Endpoint: cloud.URL, AccessKeyID: "testid", AccessKeySecret: "testsecret", Quota: 2000,
		Pacer: pace.New(pace.DefaultLimits()),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(provider.Close)
	settings := controller.DefaultConfig()
	settings.Cluster, settings.Initial = "bench", api.DefaultConfig()
	settings.Initial.Policy, settings.Initial.Pools = api.PolicyFull, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	elector := leader.NewEtcd(server.Client, "bench", "bench", 15*time.Second)
	c := controller.New(settings, s.registry, pace.Patient(provider), provider, elector, nil, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	s.until(b, "a first pass", func() bool {
		snap, err := s.registry.Snapshot(ctx)
		return err == nil && snap.Pass != nil
	})
	return s
}

// slow answers as late as a real cloud.
func slow(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wait := readTime
		if action := r.FormValue("Action"); !strings.HasPrefix(action, "Describe") && !strings.HasPrefix(action, "Get") {
			wait = writeTime
		}
		time.Sleep(wait)
		next.ServeHTTP(w, r)
	})
}

func instance(i int) api.InstanceID { return api.InstanceID(fmt.Sprintf("i-bench%05d", i)) }

func vswitch(i, tables int) string { return fmt.Sprintf("vsw-bench%d", i%tables) }

func address(i, tables int) netip.Addr {
	return netip.AddrFrom4([4]byte{172, byte(16 + i%tables), byte(1 + i/250), byte(1 + i%250)})
}

func subnet(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i / 256), byte(i % 256), 0}), 24)
}

// report writes the reports of hosts from..to-1, as their agents would at about the same time.
func (s *site) report(b *testing.B, from, to int) {
	b.Helper()
	var all errgroup.Group
	all.SetLimit(32)
	for i := from; i < to; i++ {
		all.Go(func() error {
			_, err := s.registry.Report(b.Context(), api.Report{
				Instance: instance(i), VPC: "vpc-bench", VSwitch: api.VSwitchID(vswitch(i, s.tables)), IP: address(i, s.tables), At: time.Now(),
				Subnets: []api.Subnet{{Prefix: subnet(i), Bridge: "docker0"}}, Readiness: api.Readiness{Forwarding: true, Rules: true},
			})
			return err
		})
	}
	if err := all.Wait(); err != nil {
		b.Fatal(err)
	}
}

// available waits until all tables together hold n routes that are Available.
func (s *site) available(b *testing.B, n int) {
	b.Helper()
	s.until(b, fmt.Sprintf("%d routes", n), func() bool {
		count := 0
		for i := range s.tables {
			for _, r := range s.sim.Routes(fmt.Sprintf("vtb-bench%d", i)) {
				if !r.System && r.State == alisim.Available {
					count++
				}
			}
		}
		return count == n
	})
}

func (s *site) until(b *testing.B, what string, holds func() bool) {
	b.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	for !holds() {
		if time.Now().After(deadline) {
			b.Fatalf("no %s in 5 minutes", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// BenchmarkJoin lets N hosts join at once and prints the time from the first report until all
// their routes are Available, over the floor: one read, and for each batch of 50 a write and
// its task. Writing the reports is in it.
func BenchmarkJoin(b *testing.B) {
	for _, tables := range []int{1, 3} {
		for _, n := range []int{1, 10, 50, 51, 200, 1000} {
			b.Run(fmt.Sprintf("N=%d/tables=%d", n, tables), func(b *testing.B) {
				var took time.Duration
				for range b.N {
					s := newSite(b, n, tables)
					start := time.Now()
					s.report(b, 0, n)
					s.available(b, n*min(tables, n))
					took += time.Since(start)
				}
				floor := readTime + time.Duration((n*min(tables, n)+49)/50)*(writeTime+taskTime)
				mean := took / time.Duration(b.N)
				b.ReportMetric(mean.Seconds(), "s")
				b.ReportMetric(float64(mean)/float64(floor), "x-floor")
			})
		}
	}
}

// BenchmarkOneMore lets one host join a cluster of 200 and prints the time until its route is
// Available, over a write, its task and two reads.
func BenchmarkOneMore(b *testing.B) {
	const before = 200
	s := newSite(b, before+b.N, 1)
	s.report(b, 0, before)
	s.available(b, before)
	s.until(b, "pass without changes", func() bool {
		snap, err := s.registry.Snapshot(b.Context())
		return err == nil && snap.Pass != nil && len(snap.Pass.Plan.Changes) == 0
	})
	var took time.Duration
	for i := range b.N {
		time.Sleep(time.Second) // alone
		start := time.Now()
		s.report(b, before+i, before+i+1)
		s.available(b, before+i+1)
		took += time.Since(start)
	}
	mean := took / time.Duration(b.N)
	b.ReportMetric(mean.Seconds(), "s")
	b.ReportMetric(float64(mean)/float64(writeTime+taskTime+2*readTime), "x-limit")
}
