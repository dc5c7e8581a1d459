package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"time"

	"github.com/spf13/pflag"

	"github.com/sealane/sealane/agent"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/metadata"
	"github.com/sealane/sealane/cmd/cli"
)

// flags are the command line as written; check turns them into values that cannot be wrong.
type flags struct {
	cluster, metadataURL, stateDir, listen   string
	etcdEndpoints, bridges                   []string
	leaseTTL, poll                           time.Duration
	instance, name, region, vpc, vswitch, ip string
	logLevel, logFormat                      string
}

func (f *flags) register(set *pflag.FlagSet) {
	set.StringVar(&f.cluster, "cluster", "default", "name of the cluster")
	set.StringSliceVar(&f.etcdEndpoints, "etcd-endpoints", nil, "etcd of the registry, for example http://192.168.0.10:2379; repeatable (required)")
	set.StringSliceVar(&f.bridges, "bridge", []string{"docker0"}, "Docker bridge whose subnet others may reach; repeatable")
	set.StringVar(&f.metadataURL, "metadata-url", metadata.DefaultURL, "address of the instance metadata service")
	set.StringVar(&f.stateDir, "state-dir", "/var/lib/sealane/agent", "directory where former values are remembered")
	set.DurationVar(&f.leaseTTL, "lease-ttl", 15*time.Second, "how long the host counts as alive after its agent was last heard")
	set.DurationVar(&f.poll, "poll", 30*time.Second, "longest time between two looks at the host")
	set.StringVar(&f.listen, "listen", "", "address to serve health and metrics on, for example 127.0.0.1:8481 (default: none)")
	set.StringVar(&f.instance, "instance", "", "instance id of this host (default: ask the metadata service)")
	set.StringVar(&f.name, "name", "", "name of this host, for people (default: its host name)")
	set.StringVar(&f.region, "region", "", "region of this host (default: ask the metadata service)")
	set.StringVar(&f.vpc, "vpc", "", "VPC of this host (default: ask the metadata service)")
	set.StringVar(&f.vswitch, "vswitch", "", "vSwitch of this host (default: ask the metadata service)")
	set.StringVar(&f.ip, "ip", "", "private address of this host (default: ask the metadata service)")
	set.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	set.StringVar(&f.logFormat, "log-format", "text", "text or json")
}

// check reports every problem at once. Commands that do not need etcd leave it out.
func (f *flags) check(etcd bool) error {
	var errs []error
	wrong := func(isWrong bool, flag, format string, args ...any) {
		if isWrong {
			errs = append(errs, fmt.Errorf("--%s: %s: %w", flag, fmt.Sprintf(format, args...), api.ErrUsage))
		}
	}
	_, _, badListen := net.SplitHostPort(f.listen)
	ip, badIP := netip.ParseAddr(f.ip)
	if err := cli.CheckCluster(f.cluster); err != nil {
		errs = append(errs, err)
	}
	wrong(etcd && len(f.etcdEndpoints) == 0, "etcd-endpoints", "none given, for example http://192.168.0.10:2379")
	for _, e := range f.etcdEndpoints {
		wrong(!isURL(e), "etcd-endpoints", "%q is not an address like http://192.168.0.10:2379", e)
	}
	wrong(len(f.bridges) == 0, "bridge", "none given, for example docker0")
	for _, b := range f.bridges {
		// The kernel's rule for the names of interfaces.
		wrong(!regexp.MustCompile(`^[^\s/:]{1,15}$`).MatchString(b), "bridge", "%q is not the name of an interface", b)
	}
	wrong(f.leaseTTL < 2*time.Second, "lease-ttl", "%s is less than 2s", f.leaseTTL)
	wrong(f.poll < time.Second, "poll", "%s is less than 1s", f.poll)
	wrong(f.listen != "" && badListen != nil, "listen", "%q is not an address like 127.0.0.1:8481", f.listen)
	wrong(!isURL(f.metadataURL), "metadata-url", "%q is not an address like %s", f.metadataURL, metadata.DefaultURL)
	wrong(f.ip != "" && (badIP != nil || !ip.Is4()), "ip", "%q is not an IPv4 address", f.ip)
	wrong(!filepath.IsAbs(f.stateDir), "state-dir", "%q is not an absolute path", f.stateDir)
	return errors.Join(errs...)
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != ""
}

// given is as much of the identity as the flags give.
func (f *flags) given() agent.Identity {
	ip, _ := netip.ParseAddr(f.ip) // checked; the zero address when not given
	return agent.Identity{
		Instance: api.InstanceID(f.instance), Name: f.name, Region: f.region,
		VPC: api.VPCID(f.vpc), VSwitch: api.VSwitchID(f.vswitch), IP: ip,
	}
}

func (f *flags) hostOptions() host.Options {
	return host.Options{StateDir: f.stateDir, Bridges: f.bridges}
}
