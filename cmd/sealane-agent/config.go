package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/sealane/sealane/agent"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/docker"
	"github.com/sealane/sealane/agent/host/machine"
	"github.com/sealane/sealane/agent/host/state"
	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/metadata"
	"github.com/sealane/sealane/cmd/cli"
)

// flags are the command line as written; check turns them into values that cannot be wrong.
type flags struct {
	cluster, metadataURL, stateDir, listen   string
	etcdEndpoints, bridges, networks, leave  []string
	label, admit, docker                     string
	dockerConfig, dockerRestart, sysctlDir   string
	dryRun                                   bool
	leaseTTL, poll                           time.Duration
	instance, name, region, vpc, vswitch, ip string
	logLevel, logFormat                      string
}

func (f *flags) register(set *pflag.FlagSet) {
	set.StringVar(&f.cluster, "cluster", "default", "name of the cluster")
	set.StringSliceVar(&f.etcdEndpoints, "etcd-endpoints", nil, "etcd of the registry, for example http://192.168.0.10:2379; repeatable (required)")
	set.StringSliceVar(&f.bridges, "bridge", []string{"docker0"}, "bridge whose subnet others may reach; docker0 is Docker's default network, whatever its bridge is called; repeatable")
	set.StringSliceVar(&f.networks, "network", nil, "Docker network whose subnet others may reach, by name; repeatable")
	set.StringVar(&f.label, "label", "sealane.serve", "Docker networks with this label are served as well")
	set.StringVar(&f.admit, "admit", "all", "what others may reach of containers: all, or published ports only")
	set.StringSliceVar(&f.leave, "leave", nil, "change of the host to leave out: "+strings.Join(partNames(), ", ")+"; repeatable")
	set.StringVar(&f.docker, "docker", "unix:///var/run/docker.sock", "address of Docker's API, which is only read; none: do not ask")
	set.StringVar(&f.dockerConfig, "docker-config", "/etc/docker/daemon.json", "Docker's configuration file, changed only with --docker-restart")
	set.StringVar(&f.dockerRestart, "docker-restart", "", "command that restarts Docker, for example 'systemctl restart docker': allows the agent to set the options that Docker's nftables backend needs, once (default: not allowed)")
	set.StringVar(&f.sysctlDir, "sysctl-dir", "auto", "directory for the settings that must outlive a reboot; auto: /etc/sysctl.d, unless the host is a network namespace; none: no such file")
	set.StringVar(&f.metadataURL, "metadata-url", metadata.DefaultURL, "address of the instance metadata service")
	set.StringVar(&f.stateDir, "state-dir", "/var/lib/sealane/agent", "directory where former values are remembered, and what the registry last said")
	set.DurationVar(&f.leaseTTL, "lease-ttl", 15*time.Second, "how long the host counts as alive after its agent was last heard")
	set.DurationVar(&f.poll, "poll", 30*time.Second, "longest time between two looks at the host")
	set.StringVar(&f.listen, "listen", "", "address to serve health and metrics on, for example 127.0.0.1:8481 (default: none)")
	set.StringVar(&f.instance, "instance", "", "instance id of this host (default: ask the metadata service)")
	set.StringVar(&f.name, "name", "", "name of this host, for people (default: its host name)")
	set.StringVar(&f.region, "region", "", "region of this host (default: ask the metadata service)")
	set.StringVar(&f.vpc, "vpc", "", "VPC of this host (default: ask the metadata service)")
	set.StringVar(&f.vswitch, "vswitch", "", "vSwitch of this host (default: ask the metadata service)")
	set.StringVar(&f.ip, "ip", "", "private address of this host, which may be one of a secondary interface: that is then the uplink (default: ask the metadata service)")
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
	wrong(!slices.Contains([]string{admitAll, admitPublished}, f.admit), "admit", "%q is none of all, published", f.admit)
	for _, p := range f.leave {
		wrong(!slices.Contains(partNames(), p), "leave", "%q is none of %s", p, strings.Join(partNames(), ", "))
	}
	_, badDocker := docker.Dial(f.docker)
	wrong(f.docker != none && badDocker != nil, "docker", "%q is neither an address like unix:///var/run/docker.sock nor none", f.docker)
	wrong(!filepath.IsAbs(f.dockerConfig), "docker-config", "%q is not an absolute path", f.dockerConfig)
	wrong(f.sysctlDir != none && f.sysctlDir != auto && !filepath.IsAbs(f.sysctlDir), "sysctl-dir", "%q is neither an absolute path nor auto nor none", f.sysctlDir)
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

// The words that some flags take instead of a value.
const (
	none           = "none"
	auto           = "auto"
	admitAll       = "all"
	admitPublished = "published"
)

func partNames() []string {
	var names []string
	for _, p := range host.Parts() {
		names = append(names, string(p))
	}
	return names
}

// hostOptions say how to work on the host. The flags have been checked.
func (f *flags) hostOptions(log *slog.Logger) (machine.Options, error) {
	options := machine.Options{
		StateDir: f.stateDir, DaemonConfig: f.dockerConfig, RestartEngine: f.dockerRestart, Log: log,
	}
	if f.docker != none {
		client, err := docker.Dial(f.docker)
		if err != nil {
			return options, err
		}
		options.Engine = client
	}
	if state.Whole() {
		options.Root = "/"
	}
	switch f.sysctlDir {
	case none:
	case auto:
		if state.Whole() {
			options.SysctlDir = "/etc/sysctl.d"
		}
	default:
		options.SysctlDir = f.sysctlDir
	}
	return options, nil
}

// agentConfig is how the agent of this host works.
func (f *flags) agentConfig(id agent.Identity, boot string) agent.Config {
	c := agent.Config{
		Cluster: f.cluster, Identity: id, BootID: boot, TTL: f.leaseTTL, Poll: f.poll, Version: cli.Version(),
		Serve:  agent.Serve{Bridges: f.bridges, Networks: f.networks, Label: f.label},
		Strict: f.admit == admitPublished, Interfaces: metadata.Client{URL: f.metadataURL},
	}
	for _, p := range f.leave {
		c.Leave = append(c.Leave, host.Part(p))
	}
	return c
}
