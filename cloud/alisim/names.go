package alisim

import (
	"context"
	"io"
	"net"

	"github.com/sealane/sealane/cloud/alisim/call"
	"github.com/sealane/sealane/cloud/alisim/control"
	"github.com/sealane/sealane/cloud/alisim/fault"
	"github.com/sealane/sealane/cloud/alisim/world"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// What a simulator starts with, and what it is found to be: see package seed.
type (
	Seed          = seed.Seed
	Key           = seed.Key
	Role          = seed.Role
	Document      = seed.Document
	VPC           = seed.VPC
	VSwitch       = seed.VSwitch
	Table         = seed.Table
	Route         = seed.Route
	Instance      = seed.Instance
	Interface     = seed.Interface
	SecurityGroup = seed.SecurityGroup
	Rule          = seed.Rule
	Direction     = seed.Direction
	Packet        = seed.Packet
	Verdict       = seed.Verdict
)

// The values of their fields.
const (
	Available       = seed.Available
	Pending         = seed.Pending
	Modifying       = seed.Modifying
	Running         = seed.Running
	Stopped         = seed.Stopped
	HopInstance     = seed.HopInstance
	HopInterface    = seed.HopInterface
	NormalGroup     = seed.NormalGroup
	EnterpriseGroup = seed.EnterpriseGroup
	Ingress         = seed.Ingress
	Egress          = seed.Egress
)

// How a simulator behaves, what goes wrong with it, and what it was asked: see the packages
// control, world, fault and call.
type (
	Options  = control.Options
	Readings = world.Readings
	Reading  = world.Reading
	Edit     = world.Edit
	Fault    = fault.Fault
	Request  = call.Request
)

// The values of their fields.
const (
	Refuse      = world.Refuse
	Allow       = world.Allow
	Clamp       = world.Clamp
	AddEntry    = world.AddEntry
	RemoveEntry = world.RemoveEntry
	PointEntry  = world.PointEntry
	Short       = fault.Short
	Duplicated  = fault.Duplicated
	Permuted    = fault.Permuted
)

// Example is a small seed to start with: one VPC, two vSwitches on two tables, three
// instances, and one access key.
func Example() Seed { return seed.Example() }

// LoadSeed reads a seed written in YAML and checks it, see [seed.LoadSeed].
func LoadSeed(r io.Reader) (Seed, error) { return seed.LoadSeed(r) }

// LoadSeedFile is LoadSeed for a file; the policy files that it names are relative to it.
func LoadSeedFile(path string) (Seed, error) { return seed.LoadSeedFile(path) }

// ListenAdmin opens the listener for [Sim.Admin]. An address that is not on loopback is
// refused with api.ErrInvalid: whoever reaches it does with the simulator what he likes.
func ListenAdmin(ctx context.Context, address string) (net.Listener, error) {
	return control.ListenAdmin(ctx, address)
}
