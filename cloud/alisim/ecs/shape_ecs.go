package ecs

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/sealane/sealane/cloud/alisim/call"
	"github.com/sealane/sealane/cloud/alisim/world"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

type instances struct {
	call.Body
	call.Numbered
	NextToken string `json:"NextToken"`
	Instances struct {
		Instance []instanceItem `json:"Instance"`
	} `json:"Instances"`
}

type instanceItem struct {
	InstanceID          string               `json:"InstanceId"`
	InstanceName        string               `json:"InstanceName"`
	HostName            string               `json:"HostName"`
	RegionID            string               `json:"RegionId"`
	ZoneID              string               `json:"ZoneId"`
	Status              string               `json:"Status"`
	InstanceType        string               `json:"InstanceType"`
	ImageID             string               `json:"ImageId"`
	CPU                 int                  `json:"Cpu"`
	Memory              int                  `json:"Memory"` // MiB
	OSType              string               `json:"OSType"`
	SpotStrategy        string               `json:"SpotStrategy"`
	InstanceNetworkType string               `json:"InstanceNetworkType"`
	InstanceChargeType  string               `json:"InstanceChargeType"`
	CreationTime        string               `json:"CreationTime"`
	StartTime           string               `json:"StartTime"`
	ExpiredTime         string               `json:"ExpiredTime"`
	SerialNumber        string               `json:"SerialNumber"`
	ResourceGroupID     string               `json:"ResourceGroupId"`
	VpcAttributes       vpcAttributes        `json:"VpcAttributes"`
	NetworkInterfaces   interfaces           `json:"NetworkInterfaces"`
	SecurityGroupIDs    groupIDs             `json:"SecurityGroupIds"`
	PublicIPAddress     ipList               `json:"PublicIpAddress"`
	InnerIPAddress      ipList               `json:"InnerIpAddress"`
	EipAddress          eipAddress           `json:"EipAddress"`
	MetadataOptions     *metadataOptions     `json:"MetadataOptions,omitempty"`
	OperationLocks      map[string][]bool    `json:"OperationLocks"`
	Tags                call.TagList[ecsTag] `json:"Tags"`
}

type vpcAttributes struct {
	VpcID            string `json:"VpcId"`
	VSwitchID        string `json:"VSwitchId"`
	NatIPAddress     string `json:"NatIpAddress"`
	PrivateIPAddress ipList `json:"PrivateIpAddress"`
}

type ipList struct {
	IPAddress []string `json:"IpAddress"`
}

type interfaces struct {
	NetworkInterface []interfaceBrief `json:"NetworkInterface"`
}

type interfaceBrief struct {
	NetworkInterfaceID string     `json:"NetworkInterfaceId"`
	MacAddress         string     `json:"MacAddress"`
	PrimaryIPAddress   string     `json:"PrimaryIpAddress"`
	Type               string     `json:"Type"`
	PrivateIPSets      privateIPs `json:"PrivateIpSets"`
	Ipv6Sets           ipv6Sets   `json:"Ipv6Sets"`
}

type privateIPs struct {
	PrivateIPSet []privateIP `json:"PrivateIpSet"`
}

type privateIP struct {
	PrivateIPAddress string  `json:"PrivateIpAddress"`
	Primary          bool    `json:"Primary"`
	PrivateDNSName   *string `json:"PrivateDnsName,omitempty"` // of DescribeNetworkInterfaces only
}

type groupIDs struct {
	SecurityGroupID []string `json:"SecurityGroupId"`
}

type eipAddress struct {
	AllocationID       string `json:"AllocationId"`
	IPAddress          string `json:"IpAddress"`
	InternetChargeType string `json:"InternetChargeType"`
}

type metadataOptions struct {
	HTTPEndpoint            string `json:"HttpEndpoint"`
	HTTPTokens              string `json:"HttpTokens"`
	HTTPPutResponseHopLimit int    `json:"HttpPutResponseHopLimit"`
}

func emptyList(name string) map[string][]bool { return map[string][]bool{name: {}} }

type ipv6Sets struct {
	Ipv6Set []ipv6Address `json:"Ipv6Set"`
}

type ipv6Address struct {
	Ipv6Address string `json:"Ipv6Address"`
}

func privateIPShape(f seed.Interface, dns *string) privateIPs {
	var out []privateIP
	for n, ip := range f.IPv4() {
		out = append(out, privateIP{ip, n == 0, dns})
	}
	return privateIPs{out}
}

func ipv6Shape(f seed.Interface) ipv6Sets {
	return ipv6Sets{world.Mapped(f.IPv6, func(ip netip.Addr) ipv6Address { return ipv6Address{ip.String()} })}
}

// interfaceKind is the type of an interface in the API's words.
func interfaceKind(primary bool) string {
	if primary {
		return "Primary"
	}
	return "Secondary"
}

func interfaceBriefs(i *seed.Instance) []interfaceBrief {
	var out []interfaceBrief
	for n, f := range i.Attached() {
		out = append(out, interfaceBrief{
			NetworkInterfaceID: f.ID, MacAddress: f.MAC, PrimaryIPAddress: f.IP.String(), Type: interfaceKind(n == 0),
			PrivateIPSets: privateIPShape(f, nil), Ipv6Sets: ipv6Shape(f),
		})
	}
	return out
}

func instanceShape(w *world.World, i *seed.Instance, options bool) instanceItem {
	minute := w.Born.UTC().Format("2006-01-02T15:04Z") // ECS tells minutes only
	out := instanceItem{
		InstanceID: i.ID, InstanceName: i.Name, HostName: i.Name, RegionID: w.Region, ZoneID: w.ZoneOf(i.VSwitch), Status: i.Status,
		ImageID: seed.ImageID, CPU: 2, Memory: 8192, OSType: "linux", SpotStrategy: "NoSpot",
		InstanceType: seed.InstanceType, InstanceNetworkType: "vpc", InstanceChargeType: "PostPaid",
		CreationTime: minute, StartTime: minute, ExpiredTime: "2099-12-31T15:59Z", SerialNumber: i.SerialNumber(),
		VpcAttributes:     vpcAttributes{VpcID: i.VPC, VSwitchID: i.VSwitch, PrivateIPAddress: ipList{[]string{i.IP.String()}}},
		NetworkInterfaces: interfaces{interfaceBriefs(i)},
		SecurityGroupIDs:  groupIDs{world.NonNil(i.SecurityGroups)},
		PublicIPAddress:   ipList{[]string{}}, InnerIPAddress: ipList{[]string{}},
		OperationLocks: emptyList("LockReason"), Tags: ecsTags(i.Tags),
	}
	if options {
		out.MetadataOptions = &metadataOptions{i.HTTPEndpoint, i.HTTPTokens, 1}
	}
	return out
}

type instanceStatuses struct {
	call.Body
	call.Numbered
	InstanceStatuses struct {
		InstanceStatus []instanceStatus `json:"InstanceStatus"`
	} `json:"InstanceStatuses"`
}

type instanceStatus struct {
	InstanceID string `json:"InstanceId"`
	Status     string `json:"Status"`
}

type networkInterfaces struct {
	call.Body
	call.Numbered
	NextToken            string `json:"NextToken"`
	NetworkInterfaceSets struct {
		NetworkInterfaceSet []networkInterface `json:"NetworkInterfaceSet"`
	} `json:"NetworkInterfaceSets"`
}

type networkInterface struct {
	NetworkInterfaceID          string               `json:"NetworkInterfaceId"`
	NetworkInterfaceName        string               `json:"NetworkInterfaceName"`
	Description                 string               `json:"Description"`
	Type                        string               `json:"Type"`
	Status                      string               `json:"Status"`
	VpcID                       string               `json:"VpcId"`
	VSwitchID                   string               `json:"VSwitchId"`
	ZoneID                      string               `json:"ZoneId"`
	InstanceID                  string               `json:"InstanceId"`
	MacAddress                  string               `json:"MacAddress"`
	PrivateIPAddress            string               `json:"PrivateIpAddress"`
	PrivateIPSets               privateIPs           `json:"PrivateIpSets"`
	Ipv6Sets                    ipv6Sets             `json:"Ipv6Sets"`
	Ipv4PrefixSets              map[string][]bool    `json:"Ipv4PrefixSets"`
	Ipv6PrefixSets              map[string][]bool    `json:"Ipv6PrefixSets"`
	SecurityGroupIDs            groupIDs             `json:"SecurityGroupIds"`
	SourceDestCheck             bool                 `json:"SourceDestCheck"`
	DeleteOnRelease             bool                 `json:"DeleteOnRelease"`
	NetworkInterfaceTrafficMode string               `json:"NetworkInterfaceTrafficMode"`
	QueueNumber                 int                  `json:"QueueNumber"`
	QueuePairNumber             int                  `json:"QueuePairNumber"`
	OwnerID                     string               `json:"OwnerId"`
	ServiceID                   int                  `json:"ServiceID"`
	ServiceManaged              bool                 `json:"ServiceManaged"`
	ResourceGroupID             string               `json:"ResourceGroupId"`
	CreationTime                string               `json:"CreationTime"`
	Attachment                  attachment           `json:"Attachment"`
	Tags                        call.TagList[ecsTag] `json:"Tags"`
}

type attachment struct {
	InstanceID       string `json:"InstanceId"`
	DeviceIndex      int    `json:"DeviceIndex"`
	NetworkCardIndex int    `json:"NetworkCardIndex"`
}

func interfaceShape(w *world.World, n world.NIC) networkInterface {
	f := n.Interface
	return networkInterface{
		NetworkInterfaceID: f.ID, Type: interfaceKind(n.IsPrimary), Status: "InUse", VpcID: n.VPC, VSwitchID: f.VSwitch,
		ZoneID: w.ZoneOf(f.VSwitch), InstanceID: n.Instance.ID, MacAddress: f.MAC, PrivateIPAddress: f.IP.String(), PrivateIPSets: privateIPShape(f, new("")),
		Ipv6Sets: ipv6Shape(f), Ipv4PrefixSets: emptyList("Ipv4PrefixSet"), Ipv6PrefixSets: emptyList("Ipv6PrefixSet"),
		SecurityGroupIDs: groupIDs{world.NonNil(f.SecurityGroups)}, SourceDestCheck: f.SourceDestCheck, DeleteOnRelease: true,
		NetworkInterfaceTrafficMode: "Standard", QueueNumber: 2, OwnerID: w.Account, CreationTime: call.Stamp(w.Born),
		Attachment: attachment{InstanceID: n.Instance.ID, DeviceIndex: n.Device}, Tags: ecsTags(f.Tags),
	}
}

type ecsTag struct {
	TagKey   string `json:"TagKey"`
	TagValue string `json:"TagValue"`
}

func ecsTags(tags map[string]string) call.TagList[ecsTag] {
	return call.TagList[ecsTag]{Tag: world.Mapped(slices.Sorted(maps.Keys(tags)), func(k string) ecsTag { return ecsTag{k, tags[k]} })}
}
