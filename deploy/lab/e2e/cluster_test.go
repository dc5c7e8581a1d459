package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/client"
	"github.com/sealane/sealane/deploy/lab"
	"github.com/sealane/sealane/deploy/lab/probe"
)

// cluster is a lab with what the scenarios ask of it.
type cluster struct {
	*lab.Lab
	api    *client.Client
	before map[string]string // dumps of host 1 before its agent ran
	life   context.Context   // outlives a scenario
	held   []*held
}

func (c *cluster) host(t *testing.T, index int) lab.Host {
	t.Helper()
	h, err := c.Inventory().Host(fmt.Sprint(index))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// on runs a command on a host and returns what it prints.
func (c *cluster) on(t *testing.T, h lab.Host, argv ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := c.Inventory().Run(h, cmd); err != nil {
		t.Fatalf("%s on %s: %v\n%s", strings.Join(argv, " "), h.Name, err, problems.String())
	}
	return out.String()
}

// routes are the custom routes of the VPC's table, "destination -> next hop".
func (c *cluster) routes() []string {
	var lines []string
	for _, r := range c.Sim().Routes(lab.Table) {
		if !r.System {
			lines = append(lines, fmt.Sprintf("%s -> %s %s", r.Destination, r.NextHop, r.State))
		}
	}
	slices.Sort(lines)
	return lines
}

func (c *cluster) has(destination netip.Prefix, h lab.Host) bool {
	return slices.Contains(c.routes(), fmt.Sprintf("%s -> %s Available", destination, h.Instance))
}

func (c *cluster) lacks(destination netip.Prefix) bool {
	return !slices.ContainsFunc(c.routes(), func(line string) bool { return strings.HasPrefix(line, destination.String()+" ") })
}

// eventually polls until holds says yes. It fails the test with what told tells last.
func eventually(t *testing.T, limit time.Duration, what string, holds func() bool, told func() any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not within %s: %s\nlast seen: %v", limit, what, told())
		}
	}
}

func (c *cluster) reachable(t *testing.T) lab.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := c.Await(ctx, lab.Report.OK)
	if err != nil {
		t.Fatalf("%v: %+v\n%s", err, r.Pairs, c.explain(t))
	}
	return r
}

// explain is the status that an operator would look at.
func (c *cluster) explain(t *testing.T) string {
	t.Helper()
	return sealane(t, c, "status").out
}

// status asks the controller, whichever replica answers.
func (c *cluster) status(t *testing.T) api.Status {
	t.Helper()
	s, err := c.api.Status(t.Context())
	if err != nil {
		t.Log(err)
	}
	return s
}

func hostStatus(s api.Status, id api.InstanceID) api.HostStatus {
	for _, h := range s.Hosts {
		if h.Instance == id {
			return h
		}
	}
	return api.HostStatus{}
}

// ran is what became of a command.
type ran struct {
	code     int
	out, err string
}

// sealane runs the operator's tool against the cluster's API.
func sealane(t *testing.T, c *cluster, args ...string) ran {
	t.Helper()
	return execute(t, program("sealane"), append(args, "--server", c.Inventory().API)...)
}

func execute(t *testing.T, argv0 string, args ...string) ran {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv0, args...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatalf("%s: %v", argv0, err)
	}
	return ran{cmd.ProcessState.ExitCode(), out.String(), problems.String()}
}

// flow streams echo requests between two hosts while the test goes on. The function it
// returns ends the stream and fails the test if any was lost.
func (c *cluster) flow(t *testing.T, from, to lab.Host) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	done := make(chan struct{})
	var traffic probe.Traffic
	var failure error
	go func() {
		defer close(done)
		traffic, failure = c.Inventory().Stream(ctx, from, to)
	}()
	return func() {
		t.Helper()
		cancel()
		<-done
		if failure != nil || traffic.Lost > 0 || traffic.Sent == 0 {
			t.Errorf("%s -> %s: %v %v", from.Name, to.Name, traffic, failure)
		}
		t.Logf("%s -> %s: %v", from.Name, to.Name, traffic)
	}
}
