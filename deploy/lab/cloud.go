package lab

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"time"

	"github.com/sealane/sealane/cloud/alisim"
)

// The simulated cloud of a lab. The region is where instances called i-8vb... are.
const (
	region      = "cn-zhangjiakou"
	vpcID       = "vpc-8vbsealanelab0000001"
	mgrVSwitch  = "vsw-8vbsealanelab0000001"
	hostVSwitch = "vsw-8vbsealanelab0000002"
	outVSwitch  = "vsw-8vbsealanelab0000003"
	securityID  = "sg-8vbsealanelab0000001"
	accessKeyID = "LTAIsealanelab"
	taskTime    = 300 * time.Millisecond // a change is Pending for a moment, as in the real cloud
)

// Table is the id of the lab's VPC route table, in the simulator.
const Table = "vtb-8vbsealanelab0000001"

// ForeignName is the name of the routes that others made.
const ForeignName = "by hand"

// newCloud makes the simulated VPC with its vSwitches, hosts and foreign routes.
func newCloud(o Options, l layout, hosts []Host, out Outsider) (*alisim.Sim, string, error) {
	secret := rand.Text()
	group := alisim.SecurityGroup{ID: securityID}
	for _, source := range append([]netip.Prefix{l.vpc, l.pool}, o.Pools...) {
		group.Ingress = append(group.Ingress, alisim.Rule{Source: source})
	}
	table := alisim.Table{ID: Table, System: true}
	for _, f := range o.Foreign {
		table.Routes = append(table.Routes, alisim.Route{Destination: f.Destination, NextHop: string(instanceID(f.Host)), Name: ForeignName})
	}
	seed := alisim.Seed{
		Region: region,
		Keys:   []alisim.Key{{ID: accessKeyID, Secret: secret}},
		VPCs: []alisim.VPC{{
			ID: vpcID, Name: "sealane-lab", CIDR: l.vpc, Tables: []alisim.Table{table},
			VSwitches:      []alisim.VSwitch{{ID: mgrVSwitch, CIDR: l.mgrNet}, {ID: hostVSwitch, CIDR: l.hostNet}},
			SecurityGroups: []alisim.SecurityGroup{group},
		}},
	}
	for _, h := range hosts {
		seed.Instances = append(seed.Instances, instance(h))
	}
	if out.exists() {
		net := &seed.VPCs[0]
		net.VSwitches = append(net.VSwitches, alisim.VSwitch{ID: outVSwitch, CIDR: l.outNet})
		seed.Instances = append(seed.Instances, out.instance())
	}
	sim, err := alisim.New(seed, alisim.Options{TaskTime: taskTime})
	if err != nil {
		return nil, "", fmt.Errorf("make the simulated cloud: %w", err)
	}
	return sim, secret, nil
}

// instance is a host as the cloud knows it.
func instance(h Host) alisim.Instance {
	return alisim.Instance{ID: string(h.Instance), Name: h.Name, VSwitch: hostVSwitch, IP: h.IP, SecurityGroups: []string{securityID}}
}
