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

// The world, and what is asked of it.
type (
	// Seed is what a simulator starts with, and is found to be, see [seed.Seed].
	Seed = seed.Seed
	// Key is an access key, see [seed.Key].
	Key = seed.Key
	// Role is a RAM role of instances, see [seed.Role].
	Role = seed.Role
	// Document is a RAM policy in JSON, see [seed.Document].
	Document = seed.Document
	// VPC is a virtual network, see [seed.VPC].
	VPC = seed.VPC
	// VSwitch is one subnet of a VPC, see [seed.VSwitch].
	VSwitch = seed.VSwitch
	// Table is a route table, see [seed.Table].
	Table = seed.Table
	// Route is an entry of a table, see [seed.Route].
	Route = seed.Route
	// Instance is a machine, see [seed.Instance].
	Instance = seed.Instance
	// Interface is a network interface, see [seed.Interface].
	Interface = seed.Interface
	// SecurityGroup is a group of interfaces, with rules, see [seed.SecurityGroup].
	SecurityGroup = seed.SecurityGroup
	// Rule is a rule of a security group, see [seed.Rule].
	Rule = seed.Rule
	// Direction is the way of a packet as its interface sees it, see [seed.Direction].
	Direction = seed.Direction
	// Packet is the first of a connection, see [seed.Packet].
	Packet = seed.Packet
	// Verdict is one line of what decides about packets, see [seed.Verdict].
	Verdict = seed.Verdict
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

// How the simulator behaves, what goes wrong with it, and what it was asked.
type (
	// Options say how a simulator behaves, see [control.Options].
	Options = control.Options
	// Readings are what the API's documents leave open, see [world.Readings].
	Readings = world.Readings
	// Reading is one way to read them, see [world.Reading].
	Reading = world.Reading
	// Edit is what a foreign hand does to an entry, see [world.Edit].
	Edit = world.Edit
	// Fault is something that goes wrong, see [fault.Fault].
	Fault = fault.Fault
	// Request is what was asked and answered once, see [call.Request].
	Request = call.Request
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
