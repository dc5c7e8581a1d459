package alicloud

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim"
)

// wire is a transport without a network, so that a provider and its simulator keep to the
// clock of a testing/synctest bubble.
type wire struct{ handler http.Handler }

func (w wire) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	defer func() {
		if recover() != nil { // net/http's way to drop a connection
			resp, err = nil, io.ErrUnexpectedEOF
		}
	}()
	if trace := httptrace.ContextClientTrace(req.Context()); trace != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	in := req.Clone(req.Context())
	in.RequestURI = req.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, in)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	return recorder.Result(), nil
}

// fleet is a VPC with tables, each with a vSwitch of its own, and hosts.
func fleet(tables, hosts int) alisim.Seed {
	v := alisim.VPC{
		ID: string(config("").VPC), CIDR: netip.MustParsePrefix("172.16.0.0/12"),
		SecurityGroups: []alisim.SecurityGroup{{ID: "sg-1"}},
	}
	for i := range tables {
		v.Tables = append(v.Tables, alisim.Table{ID: string(fleetTable(i)), System: i == 0, Quota: 5000})
		v.VSwitches = append(v.VSwitches, alisim.VSwitch{
			ID: fmt.Sprint("vsw-", i), CIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{172, byte(16 + i), 0, 0}), 16), Table: string(fleetTable(i)),
		})
	}
	seed := alisim.Seed{Region: "cn-hangzhou", VPCs: []alisim.VPC{v}, Keys: []alisim.Key{{ID: canaryID, Secret: canarySecret}}}
	for i := range hosts {
		seed.Instances = append(seed.Instances, alisim.Instance{
			ID: string(fleetHost(i)), VSwitch: "vsw-0", IP: netip.AddrFrom4([4]byte{172, 16, byte(1 + i/200), byte(1 + i%200)}),
			SecurityGroups: []string{"sg-1"},
		})
	}
	return seed
}

func fleetTable(i int) api.TableID   { return api.TableID(fmt.Sprint("vtb-", i)) }
func fleetHost(i int) api.InstanceID { return api.InstanceID(fmt.Sprintf("i-%04d", i)) }

// joining are the changes that a plan has for new hosts: all tables of one, then the next.
func joining(tables, hosts int) []api.Change {
	var changes []api.Change
	for i := range hosts {
		for t := range tables {
			changes = append(changes, api.Change{Verb: api.Create, Reason: api.ReasonNewSubnet, Route: api.Route{
				Table: fleetTable(t), NextHop: string(fleetHost(i)), Mark: api.Mark{Cluster: "c", Host: fleetHost(i)},
				Destination: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i / 256), byte(i % 256), 0}), 24),
			}})
		}
	}
	return changes
}

// leaving are the changes that take these away again.
func leaving(changes []api.Change) []api.Change {
	var deletes []api.Change
	for _, c := range changes {
		deletes = append(deletes, api.Change{Verb: api.Delete, Route: c.Route, Reason: api.ReasonHostLeft})
	}
	return deletes
}

// bubble runs a test with the rig of newRig on the clock of a bubble. Nothing in it depends on
// how busy the machine is, and no look reaches the simulator after the call that took it.
func bubble(t *testing.T, test func(t *testing.T, r rig), adjust ...func(*Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t, inBubble(t, world(), alisim.Options{TaskTime: 4 * time.Millisecond, Strict: true}, adjust...))
	})
}

// inBubble is a rig for a test that runs in a bubble.
func inBubble(t testing.TB, seed alisim.Seed, opts alisim.Options, adjust ...func(*Config)) rig {
	t.Helper()
	sim, err := alisim.New(seed, opts)
	if err != nil {
		t.Fatal(err)
	}
	c := config("http://127.0.0.1:1")
	c.Poll, c.Settle = 0, 0
	for _, f := range adjust {
		f(&c)
	}
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	p.client.Transport = wire{sim.API()}
	return rig{p, sim}
}
