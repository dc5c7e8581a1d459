package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/client"
)

func newWait(o *options) *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "wait [HOST...]",
		Short: "Wait until hosts are ready: forwarding, and their routes in every table",
		Long: `Wait until the named hosts are ready: the agent alive, the host forwarding, and every one of
its subnets read back from every route table, and nothing known that drops its packets: neither
an interface's source/destination check nor a security group. A HOST is an instance id, a name or a private
address; without one, all hosts in service are waited for, of which there must be at least one.

Exit codes: 0 ready; 3 not ready in time, with the reason; 4 a host is refused, with the reason; 5 the
controller does not answer.`,
		Example: "  sealane wait i-8vb6dyu0clj3b538e1yh --timeout 2m",
		RunE: func(cmd *cobra.Command, args []string) error {
			if timeout <= 0 {
				return fmt.Errorf("--timeout %s: must be more than zero: %w", timeout, api.ErrUsage)
			}
			c, err := o.client()
			if err != nil {
				return err
			}
			hosts, err := awaitHosts(cmd.Context(), c, args, timeout)
			if err != nil {
				return err
			}
			doc := api.HostList{Schema: api.SchemaHosts, Hosts: hosts}
			return o.print(cmd.OutOrStdout(), doc, func(w io.Writer) { writeHosts(w, hosts) })
		},
	}
	cmd.Flags().DurationVar(&timeout, "timeout", 2*time.Minute, "how long to wait")
	return cmd
}

// awaitHosts asks until the hosts are ready, one is refused, or the time is over. A controller that
// does not answer is asked again until then, since it may be restarting.
func awaitHosts(ctx context.Context, c *client.Client, names []string, timeout time.Duration) ([]api.HostStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	pending := errors.New("no answer yet")
	for {
		doc, err := c.Status(ctx)
		switch {
		case err == nil && !doc.Registry.Reachable:
			pending = fmt.Errorf("the controller cannot read the registry: %s: %w", doc.Registry.Problem, api.ErrUnreachable)
		case err == nil:
			hosts, err := readyHosts(doc.Hosts, names)
			if err == nil || errors.Is(err, api.ErrRefused) {
				return hosts, err
			}
			pending = err
		case errors.Is(err, api.ErrUsage), errors.Is(err, api.ErrInvalid):
			return nil, err
		case ctx.Err() == nil:
			pending = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, timedOut(ctx, timeout, pending)
		}
	}
}

func timedOut(ctx context.Context, timeout time.Duration, pending error) error {
	switch {
	case !errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("wait: interrupted: %w", pending)
	case errors.Is(pending, api.ErrUnreachable):
		return pending
	}
	return fmt.Errorf("wait: not ready after %s: %w: %w", timeout, pending, api.ErrTimeout)
}

// readyHosts picks the named hosts, or all. The error says why waiting goes on, and is ErrRefused
// when waiting will not help.
func readyHosts(all []api.HostStatus, names []string) ([]api.HostStatus, error) {
	hosts := slices.DeleteFunc(slices.Clone(all), func(h api.HostStatus) bool { return h.State == api.HostGoneAway })
	if len(names) > 0 {
		hosts = nil
		for _, name := range names {
			i := slices.IndexFunc(all, func(h api.HostStatus) bool { return hasName(h, name) })
			if i < 0 {
				return nil, fmt.Errorf("no host %s is registered yet; does sealane-agent run there?", name)
			}
			hosts = append(hosts, all[i])
		}
	}
	if len(hosts) == 0 {
		return nil, errors.New("no host is registered yet")
	}
	var pending []string
	for _, h := range hosts {
		switch h.State {
		case api.HostReady:
		case api.HostRefused:
			return nil, fmt.Errorf("%s: %s: %w", h.Label(), h.Why, api.ErrRefused)
		default:
			pending = append(pending, fmt.Sprintf("%s is %s: %s", h.Label(), h.State, h.Why))
		}
	}
	if len(pending) > 0 {
		return nil, errors.New(strings.Join(pending, "; "))
	}
	return hosts, nil
}

func hasName(h api.HostStatus, name string) bool {
	return string(h.Instance) == name || h.Name == name || h.IP.String() == name
}
