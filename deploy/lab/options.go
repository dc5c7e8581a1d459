package lab

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/sealane/sealane/api"
)

// Options say what lab to build. The zero value of a field means its default.
type Options struct {
	Name    string       // names all that the lab makes; letters and digits; default "lab"
	Hosts   int          // 1 to MaxHosts; default 2
	VPC     netip.Prefix // default 192.168.0.0/16
	BipPool netip.Prefix // bips of the hosts come from it; default 10.0.0.0/8
	Pools   []netip.Prefix
	Engine  EngineKind // default auto
	// Engines are those of the first hosts; the others run the machine's own. They need Engine
	// to be docker.
	Engines []HostEngine
	// Foreign are routes that others made: they are in the table before the lab starts.
	Foreign []ForeignRoute
	// Controllers is the number of replicas; more than one needs EtcdBinary. Default 1.
	Controllers int
	EtcdBinary  string    // etcd as a process of its own; empty: embedded in the controller
	BinDir      string    // where sealane, sealane-agent and sealane-controller are; default beside this program
	Outsider    bool      // have an outsider
	Isolated    bool      // the hosts' security group admits the management host alone, not even its own members
	AgentFlags  []string  // given to each agent besides its own
	Out         io.Writer // progress, a line each; default nowhere
}

// ForeignRoute is a route in the VPC's system table that is not the cluster's.
type ForeignRoute struct {
	Destination netip.Prefix
	Host        int // index of the host that is its next hop, from 1
}

// ErrExists says that a lab of this name is there already.
var ErrExists = fmt.Errorf("a lab of this name is there already: %w", api.ErrRefused)

// withDefaults fills in what was left out and refuses what cannot be built.
func (o Options) withDefaults() (Options, error) {
	if o.Name == "" {
		o.Name = DefaultName
	}
	if o.Hosts == 0 {
		o.Hosts = 2
	}
	if !o.VPC.IsValid() {
		o.VPC = netip.MustParsePrefix("192.168.0.0/16")
	}
	if !o.BipPool.IsValid() {
		o.BipPool = netip.MustParsePrefix("10.0.0.0/8")
	}
	if o.Engine == "" {
		o.Engine = EngineAuto
	}
	if o.Controllers == 0 {
		o.Controllers = 1
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.BinDir == "" {
		self, err := os.Executable()
		if err != nil {
			return o, fmt.Errorf("find this program's directory: %w", err)
		}
		o.BinDir = filepath.Dir(self)
	}
	return o, o.validate()
}

func (o Options) validate() error {
	if err := checkName(o.Name); err != nil {
		return err
	}
	if !slices.Contains([]EngineKind{EngineAuto, EngineDocker, EngineNetns}, o.Engine) {
		return fmt.Errorf("engine %q is none of docker, netns, auto: %w", o.Engine, api.ErrUsage)
	}
	if o.Controllers < 1 || o.Controllers > 1 && o.EtcdBinary == "" {
		return fmt.Errorf("%d controllers: one runs with its embedded etcd, several need an etcd of their own: %w",
			o.Controllers, api.ErrUsage)
	}
	if len(o.Engines) > 0 && o.Engine != EngineDocker {
		return fmt.Errorf("engines of hosts are given, and engine is %s: %w", o.Engine, api.ErrUsage)
	}
	if o.Outsider && o.VPC.Bits() > 22 {
		return fmt.Errorf("vpc %s is too small: a lab with an outsider needs three /24 vSwitches in it: %w", o.VPC, api.ErrUsage)
	}
	for _, e := range o.Engines {
		if err := e.validate(); err != nil {
			return err
		}
	}
	_, err := newLayout(o.VPC, o.BipPool, o.Hosts)
	return err
}
