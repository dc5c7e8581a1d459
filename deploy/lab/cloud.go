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
	accessKeyID = "LTAIsealanelab"
	taskTime    = 300 * time.Millisecond // a change is Pending for a moment, as in the real cloud
)

// Addresses of the cloud's services, as in every Alibaba VPC.
const (
	metadataAddress = "100.100.100.200"
	openAPIAddress  = "100.100.100.100"
)

// Table is the id of the lab's VPC route table, in the simulator.
const Table = "vtb-8vbsealanelab0000001"

// SecurityGroup is the id of the security group of the lab's hosts.
const SecurityGroup = "sg-8vbsealanelab0000001"

// ForeignName is the name of the routes that others made.
const ForeignName = "by hand"

// newCloud makes the simulated VPC with its vSwitches, hosts and foreign routes.
func newCloud(o Options, l layout, hosts []Host, out Outsider) (*alisim.Sim, string, error) {
	secret := rand.Text()
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
			SecurityGroups: []alisim.SecurityGroup{securityGroup(o, l)},
		}},
	}
	for _, h := range hosts {
		seed.Instances = append(seed.Instances, cloudInstance(h))
	}
	if out.exists() {
		net := &seed.VPCs[0]
		net.VSwitches = append(net.VSwitches, alisim.VSwitch{ID: outVSwitch, CIDR: l.outNet})
		seed.Instances = append(seed.Instances, cloudOutsider(out))
	}
	sim, err := alisim.New(seed, alisim.Options{TaskTime: taskTime})
	if err != nil {
		return nil, "", fmt.Errorf("make the simulated cloud: %w", err)
	}
	return sim, secret, nil
}

// securityGroup is the one of all hosts. The simulated VPC's kernel driver makes it count.
func securityGroup(o Options, l layout) alisim.SecurityGroup {
	g := alisim.SecurityGroup{ID: SecurityGroup}
	admitted := append([]netip.Prefix{l.vpc, l.pool}, o.Pools...)
	if o.Isolated {
		g.InnerAccess, admitted = "Drop", []netip.Prefix{netip.PrefixFrom(l.mgr(), 32)}
	}
	for _, source := range admitted {
		g.Ingress = append(g.Ingress, alisim.Rule{Source: source})
	}
	return g
}

// cloudInstance is a host as the cloud knows it.
func cloudInstance(h Host) alisim.Instance {
	return alisim.Instance{ID: string(h.Instance), Name: h.Name, VSwitch: hostVSwitch, IP: h.IP, SecurityGroups: []string{SecurityGroup}}
}

const (
	outsidePort = "vo"
	outsiderID  = "i-8vbsealanelabout0001"
)

// cloudOutsider is the outsider as the cloud knows it.
func cloudOutsider(o Outsider) alisim.Instance {
	return alisim.Instance{ID: outsiderID, Name: "outsider", VSwitch: outVSwitch, IP: o.IP, SecurityGroups: []string{SecurityGroup}}
}
