package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/deploy/lab/supervisor"
)

// Inventory is a lab as its state file tells it to any process. The lab writes the file
// anew with each thing it makes.
type Inventory struct {
	Name       string         `json:"name"`
	Engine     EngineKind     `json:"engine"`
	VPC        netip.Prefix   `json:"vpc"`
	Pools      []netip.Prefix `json:"pools"`
	Hosts      []Host         `json:"hosts"`
	Outsider   Outsider       `json:"outsider,omitzero"`
	API        string         `json:"api,omitempty"` // the controllers' API, on this machine's loopback
	Ready      bool           `json:"ready"`         // all that was asked for is up
	Supervisor supervisor.ID  `json:"supervisor"`    // the process that holds the lab
}

// EngineKind says what runs the containers of a host.
type EngineKind string

// The engines of a lab.
const (
	EngineAuto   EngineKind = "auto"   // docker where it can be had, else netns
	EngineDocker EngineKind = "docker" // a real dockerd for each host
	EngineNetns  EngineKind = "netns"  // plain namespaces on a bridge stand in as containers
)

// Host is one host of a lab.
type Host struct {
	Index     int            `json:"index"` // from 1
	Name      string         `json:"name"`  // "host1"
	Instance  api.InstanceID `json:"instance"`
	IP        netip.Addr     `json:"ip"`
	Bip       netip.Prefix   `json:"bip"`              // docker0's address and mask; not valid: Docker's own choice
	Namespace string         `json:"namespace"`        // name of its network namespace
	Docker    string         `json:"docker,omitempty"` // path of its Docker socket; empty with plain namespaces
	Engine    HostEngine     `json:"engine,omitzero"`
	Path      string         `json:"path,omitempty"`   // its search path; empty: the machine's
	Keeper    int            `json:"keeper,omitempty"` // the process that keeps its root file system, where that is not the machine's
}

// HostEngine says which Docker engine a host runs, and what that finds on the host. The
// zero value is the machine's own engine on a fresh host.
type HostEngine struct {
	// Root is a directory with another root file system, whose engine, firewall tools and
	// Docker command the host then uses. Several hosts may have the same one: none of them
	// writes to it.
	Root string `json:"root,omitempty"`
	// IPTables is the variant that the commands iptables and ip6tables are on the host, nft
	// or legacy. Empty: what they are in its root file system.
	IPTables string `json:"iptables,omitempty"`
	// Forwarding tells that the host forwards before Docker starts: Docker then leaves the
	// policy of FORWARD at ACCEPT.
	Forwarding bool `json:"forwarding,omitempty"`
	// Config is the text of dockerd's daemon.json. Empty: no options, {}.
	Config string `json:"config,omitempty"`
}

func (e HostEngine) validate() error {
	if e.Root != "" && !filepath.IsAbs(e.Root) {
		return fmt.Errorf("root %q is not an absolute path: %w", e.Root, api.ErrUsage)
	}
	if !slices.Contains([]string{"", "nft", "legacy"}, e.IPTables) {
		return fmt.Errorf("iptables %q is neither nft nor legacy: %w", e.IPTables, api.ErrUsage)
	}
	return nil
}

// Outsider is an instance of the VPC that is no host of the cluster: it has a vSwitch of
// its own and runs no agent. It serves what the containers do.
type Outsider struct {
	Namespace string     `json:"namespace"` // name of its network namespace
	IP        netip.Addr `json:"ip"`
}

func (o Outsider) exists() bool { return o.IP.IsValid() }

// short is the host's part in names of namespaces, directories and processes.
func (h Host) short() string { return "h" + strconv.Itoa(h.Index) }

// port is its interface in the VPC's namespace.
func (h Host) port() string { return "v" + h.short() }

// Host finds a host by index, name or instance id.
func (v Inventory) Host(ref string) (Host, error) {
	for _, h := range v.Hosts {
		if ref == strconv.Itoa(h.Index) || ref == h.Name || ref == h.short() || ref == string(h.Instance) {
			return h, nil
		}
	}
	return Host{}, fmt.Errorf("host %q: lab %s has hosts 1 to %d: %w", ref, v.Name, len(v.Hosts), api.ErrUsage)
}

// Names of parts, for Signal: those of hosts carry the host's index, those of
// controllers their number, "agent-h1", "dockerd-h2", "controller-1".
const (
	partAgent      = "agent-"
	partController = "controller-"
	partDocker     = "dockerd-"
	partRoot       = "root-"
	partEtcd       = "etcd"
)

// DefaultName is the name of a lab that was given none.
const DefaultName = "lab"

// checkName keeps one lab's names from being a prefix of another's, and paths short: a
// unix socket's path ends at 108 bytes (unix(7)).
func checkName(name string) error {
	if !regexp.MustCompile(`^[a-z][a-z0-9]{0,11}$`).MatchString(name) {
		return fmt.Errorf("name %q: up to 12 small letters and digits, a letter first, are allowed: %w", name, api.ErrUsage)
	}
	return nil
}

// runRoot holds the state of all labs.
const runRoot = "/run/sealane-lab"

// Paths of a lab. Sockets and logs live as long as the machine is up; Docker's data does
// not fit in memory and must not lie on an overlay.
func stateDir(name string) string  { return filepath.Join(runRoot, name) }
func dataDir(name string) string   { return filepath.Join("/var/lib/sealane-lab", name) }
func statePath(name string) string { return filepath.Join(stateDir(name), stateFile) }

// markOf is in the environment of every process of a lab; Down finds them by it.
func markOf(lab string) string { return "SEALANE_LAB=" + lab }

const stateFile = "state.json"

// ReadInventory reads the state file of the lab of this name. ErrNotFound says that there is none.
func ReadInventory(name string) (Inventory, error) {
	if err := checkName(name); err != nil {
		return Inventory{}, err
	}
	raw, err := os.ReadFile(statePath(name))
	if errors.Is(err, fs.ErrNotExist) {
		return Inventory{}, fmt.Errorf("lab %s is not up; start it with: sealane-lab up: %w", name, api.ErrNotFound)
	}
	if err != nil {
		return Inventory{}, fmt.Errorf("read the lab's state: %w", err)
	}
	var v Inventory
	if err := json.Unmarshal(raw, &v); err != nil {
		return Inventory{}, fmt.Errorf("read the lab's state in %s: %w", statePath(name), err)
	}
	return v, nil
}

// writeTo writes the state file as a whole, so that a reader never sees half of it.
func (v Inventory) writeTo(path string) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write the lab's state: %w", err)
	}
	next := path + ".new"
	if err := os.WriteFile(next, raw, 0o600); err != nil {
		return fmt.Errorf("write the lab's state: %w", err)
	}
	if err := os.Rename(next, path); err != nil {
		return fmt.Errorf("write the lab's state: %w", err)
	}
	return nil
}

func (v Inventory) clone() Inventory {
	v.Hosts, v.Pools = slices.Clone(v.Hosts), slices.Clone(v.Pools)
	return v
}
