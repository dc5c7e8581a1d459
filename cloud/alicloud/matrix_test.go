package alicloud

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/cloudtest"
)

var update = flag.Bool("update", false, "write testdata/faults.md anew")

const golden = "testdata/faults.md"

// trouble is a fault as a row of the matrix.
type trouble struct {
	name string
	alisim.Fault
	of []string // operations it makes sense for; empty: all
}

var writes = []string{"create", "replace", "delete"}

// troubles are the faults of the matrix. The simulator's own words are the columns of its manual.
func troubles() []trouble {
	d := netip.MustParsePrefix("10.0.1.0/24")
	foreign := alisim.Edit{Verb: alisim.AddEntry, Destination: d, NextHop: "i-bp1small0000000000003"}
	point := alisim.Edit{Verb: alisim.PointEntry, Destination: d, NextHop: "i-bp1small0000000000003"}
	remove := alisim.Edit{Verb: alisim.RemoveEntry, Destination: d}
	for _, e := range []*alisim.Edit{&foreign, &point, &remove} {
		e.Table = string(cloudtest.Small().Network.Tables[0].ID)
	}
	code := func(c string) alisim.Fault { return alisim.Fault{Code: c} }
	return []trouble{
		{"throttled", code("Throttling.User"), nil},
		{"throttled, told to wait 50 ms", alisim.Fault{Code: "Throttling.User", RetryAfter: 50 * time.Millisecond}, nil},
		{"503 before the work", code("ServiceUnavailable"), nil},
		{"500 before the work", code("InternalError"), nil},
		{"500 after the work", alisim.Fault{Code: "InternalError", After: true}, nil},
		{"connection reset before the work", alisim.Fault{Reset: true}, nil},
		{"connection reset after the work", alisim.Fault{Reset: true, After: true}, nil},
		{"answer 200 ms late", alisim.Fault{Delay: 200 * time.Millisecond}, nil},
		{"no answer", alisim.Fault{Delay: time.Minute}, nil},
		{"502 as an HTML page", alisim.Fault{HTML: true}, nil},
		{"414 as an HTML page", alisim.Fault{HTML: true, Status: 414}, nil},
		{"security token expired", code("InvalidSecurityToken.Expired"), nil},
		{"no permission", code("Forbidden.RAM"), nil},
		{"another task runs", code("TaskConflict"), writes},
		{"an entry is in between", code("IncorrectRouteEntryStatus"), writes},
		{"quota exceeded", code("QuotaExceeded"), []string{"create"}},
		{"a code nobody knows", code("Strange.NewCode"), nil},
		{"an error, and the work was done", alisim.Fault{Code: "OperationFailed.InvalidNexthop", After: true}, writes},
		{"success, and nothing was done", alisim.Fault{Nothing: true}, append([]string{"switch a source check", "admit to a group"}, writes...)},
		{"accepted, and never Available", alisim.Fault{Stick: true}, []string{"create"}},
		{"accepted, and gone again", alisim.Fault{Vanish: true}, []string{"create"}},
		{"a batch item fails", alisim.Fault{Fail: 1}, []string{"create", "delete"}},
		{"a batch item is told to have failed", alisim.Fault{Fail: 1, After: true}, []string{"create", "delete"}},
		{"a batch item fails, unlisted", alisim.Fault{Fail: 1, Failures: alisim.Short}, []string{"create", "delete"}},
		{"the list leaves out an entry", alisim.Fault{Hide: 1}, []string{"list routes"}},
		{"somebody takes the place", alisim.Fault{Edits: []alisim.Edit{foreign}}, []string{"create"}},
		{"somebody points it elsewhere", alisim.Fault{Edits: []alisim.Edit{point}}, []string{"replace", "delete"}},
		{"somebody removes it", alisim.Fault{Edits: []alisim.Edit{remove}}, []string{"replace", "delete"}},
	}
}

// operation is something that the controller does in the cloud, as a part of the matrix.
type operation struct {
	name   string
	action string // that is hit
	do     func(*bench) error
	done   func(*bench) bool // whether the cloud is as was asked; nil for a read
}

func operations() []operation {
	w := cloudtest.Small()
	ids := []api.InstanceID{w.Instances[0].ID, w.Instances[1].ID, w.Instances[2].ID}
	key := route(0, 1, 0).Key()
	at := func(hop string) func(*bench) bool { return func(b *bench) bool { return b.hop(key) == hop } }
	return []operation{
		{"read the network", "DescribeVSwitches", func(b *bench) error { _, err := b.Network(b.ctx); return err }, nil},
		{"read instances", "DescribeInstances", func(b *bench) error { _, err := b.Instances(b.ctx, ids); return err }, nil},
		{"list routes", "DescribeRouteEntryList", func(b *bench) error { _, err := b.Routes(b.ctx, key.Table); return err }, nil},
		{"create", "CreateRouteEntries", func(b *bench) error { return b.change(api.Change{Verb: api.Create, Route: route(0, 1, 0)}) }, at(string(ids[0]))},
		{"replace", "ModifyRouteEntry", func(b *bench) error {
			was := b.given(route(0, 1, 0))
			return b.change(api.Change{Verb: api.Replace, Route: route(0, 1, 1), Was: &was})
		}, at(string(ids[1]))},
		{"delete", "DeleteRouteEntries", func(b *bench) error {
			return b.change(api.Change{Verb: api.Delete, Route: b.given(route(0, 1, 0))})
		}, at("")},
		{"switch a source check", "ModifyNetworkInterfaceAttribute", func(b *bench) error {
			_, err := b.SetSourceCheck(b.ctx, w.Instances[2].Interface.ID, false, cloud.Always)
			return err
		}, func(b *bench) bool { return !b.check(ids[2]) }},
		{"admit to a group", "AuthorizeSecurityGroup", func(b *bench) error {
			return b.Admit(b.ctx, cloudtest.Basic, "c", []netip.Prefix{netip.MustParsePrefix("172.20.0.0/16")}, cloud.Always)
		}, func(b *bench) bool { return len(hand{b.sim}.Rules(cloudtest.Basic)) > 1 }},
	}
}

// bench is a provider and the cloud that it looks at.
type bench struct {
	*Provider
	sim *alisim.Sim
	ctx context.Context
}

func newBench(t *testing.T) *bench {
	sim, err := alisim.New(world(), alisim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.API())
	t.Cleanup(server.CloseClientConnections)
	t.Cleanup(server.Close)
	c := config(server.URL)
	c.Timeout, c.Settle = time.Second, 2*time.Second
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return &bench{p, sim, ctx}
}

// given puts a route of ours into the cloud.
func (b *bench) given(r api.Route) api.Route {
	hand{b.sim}.AddForeign(r)
	return r
}

func (b *bench) change(c api.Change) error {
	results, err := b.Apply(b.ctx, []api.Change{c}, cloud.Always)
	if err != nil {
		return err
	}
	return results[0].Err
}

// hop is where the entry leads, if it is Available.
func (b *bench) hop(key api.RouteKey) string {
	for _, r := range b.sim.Routes(string(key.Table)) {
		if r.Destination == key.Destination && r.State == alisim.Available {
			return r.NextHop
		}
	}
	return ""
}

func (b *bench) check(id api.InstanceID) bool {
	seed := b.sim.Snapshot()
	i := slices.IndexFunc(seed.Instances, func(i alisim.Instance) bool { return i.ID == string(id) })
	return seed.Instances[i].SourceDestCheck
}

// cell is what becomes of an operation under a fault.
type cell struct{ outcome, text string }

// run makes the operation while the fault strikes so many times, and holds what is said
// against what the cloud is like: success is never claimed for what is not so, and never
// denied by a refusal when it is.
func run(t *testing.T, op operation, tr trouble, times int) cell {
	b := newBench(t)
	f := tr.Fault
	f.Action, f.Times = op.action, times
	b.sim.Fault(f)
	err := op.do(b)
	if err == nil && op.done != nil && !op.done(b) {
		t.Errorf("%s, %s: said to be done, and is not", op.name, tr.name)
	}
	final := kindName(err) == "invalid" || kindName(err) == "denied" || kindName(err) == "refused"
	if final && op.done != nil && op.done(b) && !f.After {
		t.Errorf("%s, %s: said to be %v, and is done", op.name, tr.name, err)
	}
	return cell{kindName(err), plain(err)}
}

func kindName(err error) string {
	if err == nil {
		return "done"
	}
	for _, kind := range api.Kinds() {
		if errors.Is(err, kind) {
			return kind.Error()
		}
	}
	return "timed out" // the context's
}

// plain is the text without what differs from run to run.
func plain(err error) string {
	if err == nil {
		return ""
	}
	text := regexp.MustCompile(` \(request [0-9A-F-]+\)`).ReplaceAllString(err.Error(), "")
	text = regexp.MustCompile(`127\.0\.0\.1:\d+(->127\.0\.0\.1:\d+)?`).ReplaceAllString(text, "the cloud")
	return strings.NewReplacer("|", "\\|", "\n", " ").Replace(text)
}

// TestFaultMatrix drives every operation through every fault and compares what an operator
// reads with testdata/faults.md. What an operator does about it is in docs/faults.md.
func TestFaultMatrix(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for settle times: not in short mode")
	}
	if *update {
		if err := os.WriteFile(golden, []byte(matrix(t)), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	diff := cmp.Diff(string(want), matrix(t))
	if diff != "" { // a machine that was busy for a second tells another story
		t.Logf("once more, since this is not what %s says:\n%s", golden, diff)
		diff = cmp.Diff(string(want), matrix(t))
	}
	if diff != "" {
		t.Errorf("%s is not what happens; write it anew with: go test ./cloud/alicloud -run FaultMatrix -update\n%s", golden, diff)
	}
}

// spot is where a cell stands.
type spot struct{ op, trouble, times int }

// matrix runs all of it, many at a time since most of them wait, and writes it down.
func matrix(t *testing.T) string {
	t.Helper()
	ops, faults := operations(), troubles()
	cells := map[spot]cell{}
	var mu sync.Mutex
	var all sync.WaitGroup
	gate := make(chan struct{}, 16)
	for o, op := range ops {
		for f, tr := range faults {
			for _, times := range []int{1, -1} {
				if len(tr.of) > 0 && !slices.Contains(tr.of, op.name) {
					continue
				}
				all.Go(func() {
					gate <- struct{}{}
					defer func() { <-gate }()
					c := run(t, op, tr, times)
					mu.Lock()
					defer mu.Unlock()
					cells[spot{o, f, times}] = c
				})
			}
		}
	}
	all.Wait()
	return written(ops, faults, cells)
}

func written(ops []operation, faults []trouble, cells map[spot]cell) string {
	var b strings.Builder
	b.WriteString(preface)
	for o, op := range ops {
		fmt.Fprintf(&b, "\n## %s (%s)\n\n| Fault | once | lasting | what is read while it lasts |\n|---|---|---|---|\n", op.name, op.action)
		for f, tr := range faults {
			if once, ok := cells[spot{o, f, 1}]; ok {
				lasting := cells[spot{o, f, -1}]
				fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", tr.name, once.outcome, lasting.outcome, lasting.text)
			}
		}
	}
	return b.String()
}

const preface = `# Every fault of the cloud, and what is said of it

Written by a test (` + "`go test ./cloud/alicloud -run FaultMatrix -update`" + `), which drives every operation of the provider
through every fault of the simulator, once and lasting, and compares what is said with what the cloud then holds. A settle
time of 2 s and a call's limit of 1 s stand in for 60 s and 10 s. "done" is only said of what was read back.
`
