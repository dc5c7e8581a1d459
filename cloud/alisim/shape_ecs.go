package alisim

import (
	"strconv"
	"time"
)

type instances struct {
	body
	numbered
	NextToken string `json:"NextToken"`
	Instances struct {
		Instance []instanceItem `json:"Instance"`
	} `json:"Instances"`
}

type instanceItem struct {
	InstanceID          string            `json:"InstanceId"`
	InstanceName        string            `json:"InstanceName"`
	HostName            string            `json:"HostName"`
	RegionID            string            `json:"RegionId"`
	ZoneID              string            `json:"ZoneId"`
	Status              string            `json:"Status"`
	InstanceType        string            `json:"InstanceType"`
	InstanceNetworkType string            `json:"InstanceNetworkType"`
	InstanceChargeType  string            `json:"InstanceChargeType"`
	CreationTime        string            `json:"CreationTime"`
	StartTime           string            `json:"StartTime"`
	ExpiredTime         string            `json:"ExpiredTime"`
	SerialNumber        string            `json:"SerialNumber"`
	ResourceGroupID     string            `json:"ResourceGroupId"`
	VpcAttributes       vpcAttributes     `json:"VpcAttributes"`
	NetworkInterfaces   interfaces        `json:"NetworkInterfaces"`
	SecurityGroupIDs    groupIDs          `json:"SecurityGroupIds"`
	PublicIPAddress     ipList            `json:"PublicIpAddress"`
	InnerIPAddress      ipList            `json:"InnerIpAddress"`
	EipAddress          eipAddress        `json:"EipAddress"`
	MetadataOptions     *metadataOptions  `json:"MetadataOptions,omitempty"`
	OperationLocks      map[string][]bool `json:"OperationLocks"`
	Tags                tags              `json:"Tags"`
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
	NetworkInterfaceID string            `json:"NetworkInterfaceId"`
	MacAddress         string            `json:"MacAddress"`
	PrimaryIPAddress   string            `json:"PrimaryIpAddress"`
	Type               string            `json:"Type"`
	PrivateIPSets      privateIPs        `json:"PrivateIpSets"`
	Ipv6Sets           map[string][]bool `json:"Ipv6Sets"`
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

func none(name string) map[string][]bool { return map[string][]bool{name: {}} }

func (i *Instance) privateIPs(dns *string) privateIPs {
	return privateIPs{[]privateIP{{i.IP.String(), true, dns}}}
}

func (w *world) instanceItem(i *Instance, options bool) instanceItem {
	minute := w.born.UTC().Format("2006-01-02T15:04Z") // ECS tells minutes only
	out := instanceItem{
		InstanceID: i.ID, InstanceName: i.Name, HostName: i.Name, RegionID: w.region, ZoneID: w.zoneOf(i), Status: i.Status,
		InstanceType: instanceType, InstanceNetworkType: "vpc", InstanceChargeType: "PostPaid",
		CreationTime: minute, StartTime: minute, ExpiredTime: "2099-12-31T15:59Z", SerialNumber: i.serialNumber(),
		VpcAttributes: vpcAttributes{VpcID: i.VPC, VSwitchID: i.VSwitch, PrivateIPAddress: ipList{[]string{i.IP.String()}}},
		NetworkInterfaces: interfaces{[]interfaceBrief{{
			NetworkInterfaceID: i.ENI, MacAddress: i.MAC, PrimaryIPAddress: i.IP.String(), Type: "Primary",
			PrivateIPSets: i.privateIPs(nil), Ipv6Sets: none("Ipv6Set"),
		}}},
		SecurityGroupIDs: groupIDs{nonNil(i.SecurityGroups)},
		PublicIPAddress:  ipList{[]string{}}, InnerIPAddress: ipList{[]string{}},
		OperationLocks: none("LockReason"), Tags: noTags(),
	}
	if options {
		out.MetadataOptions = &metadataOptions{"enabled", i.HTTPTokens, 1}
	}
	return out
}

type instanceStatuses struct {
	body
	numbered
	InstanceStatuses struct {
		InstanceStatus []instanceStatus `json:"InstanceStatus"`
	} `json:"InstanceStatuses"`
}

type instanceStatus struct {
	InstanceID string `json:"InstanceId"`
	Status     string `json:"Status"`
}

type networkInterfaces struct {
	body
	numbered
	NextToken            string `json:"NextToken"`
	NetworkInterfaceSets struct {
		NetworkInterfaceSet []networkInterface `json:"NetworkInterfaceSet"`
	} `json:"NetworkInterfaceSets"`
}

type networkInterface struct {
	NetworkInterfaceID          string            `json:"NetworkInterfaceId"`
	NetworkInterfaceName        string            `json:"NetworkInterfaceName"`
	Description                 string            `json:"Description"`
	Type                        string            `json:"Type"`
	Status                      string            `json:"Status"`
	VpcID                       string            `json:"VpcId"`
	VSwitchID                   string            `json:"VSwitchId"`
	ZoneID                      string            `json:"ZoneId"`
	InstanceID                  string            `json:"InstanceId"`
	MacAddress                  string            `json:"MacAddress"`
	PrivateIPAddress            string            `json:"PrivateIpAddress"`
	PrivateIPSets               privateIPs        `json:"PrivateIpSets"`
	Ipv6Sets                    map[string][]bool `json:"Ipv6Sets"`
	Ipv4PrefixSets              map[string][]bool `json:"Ipv4PrefixSets"`
	Ipv6PrefixSets              map[string][]bool `json:"Ipv6PrefixSets"`
	SecurityGroupIDs            groupIDs          `json:"SecurityGroupIds"`
	SourceDestCheck             bool              `json:"SourceDestCheck"`
	DeleteOnRelease             bool              `json:"DeleteOnRelease"`
	NetworkInterfaceTrafficMode string            `json:"NetworkInterfaceTrafficMode"`
	QueueNumber                 int               `json:"QueueNumber"`
	QueuePairNumber             int               `json:"QueuePairNumber"`
	OwnerID                     string            `json:"OwnerId"`
	ServiceID                   int               `json:"ServiceID"`
	ServiceManaged              bool              `json:"ServiceManaged"`
	ResourceGroupID             string            `json:"ResourceGroupId"`
	CreationTime                string            `json:"CreationTime"`
	Attachment                  attachment        `json:"Attachment"`
	Tags                        tags              `json:"Tags"`
}

type attachment struct {
	InstanceID       string `json:"InstanceId"`
	DeviceIndex      int    `json:"DeviceIndex"`
	NetworkCardIndex int    `json:"NetworkCardIndex"`
}

func (w *world) networkInterface(i *Instance) networkInterface {
	return networkInterface{
		NetworkInterfaceID: i.ENI, Type: "Primary", Status: "InUse", VpcID: i.VPC, VSwitchID: i.VSwitch,
		ZoneID: w.zoneOf(i), InstanceID: i.ID, MacAddress: i.MAC, PrivateIPAddress: i.IP.String(), PrivateIPSets: i.privateIPs(new("")),
		Ipv6Sets: none("Ipv6Set"), Ipv4PrefixSets: none("Ipv4PrefixSet"), Ipv6PrefixSets: none("Ipv6PrefixSet"),
		SecurityGroupIDs: groupIDs{nonNil(i.SecurityGroups)}, SourceDestCheck: i.SourceDestCheck, DeleteOnRelease: true,
		NetworkInterfaceTrafficMode: "Standard", QueueNumber: 2, OwnerID: w.account, CreationTime: stamp(w.born),
		Attachment: attachment{InstanceID: i.ID}, Tags: noTags(),
	}
}

type securityGroup struct {
	body
	RegionID          string `json:"RegionId"`
	VpcID             string `json:"VpcId"`
	SecurityGroupID   string `json:"SecurityGroupId"`
	SecurityGroupName string `json:"SecurityGroupName"`
	Description       string `json:"Description"`
	InnerAccessPolicy string `json:"InnerAccessPolicy"`
	NextToken         string `json:"NextToken"`
	Permissions       struct {
		Permission []permission `json:"Permission"`
	} `json:"Permissions"`
}

type permission struct {
	SecurityGroupRuleID     string `json:"SecurityGroupRuleId"`
	Direction               string `json:"Direction"`
	IPProtocol              string `json:"IpProtocol"`
	PortRange               string `json:"PortRange"`
	SourcePortRange         string `json:"SourcePortRange"`
	Policy                  string `json:"Policy"`
	Priority                string `json:"Priority"`
	NicType                 string `json:"NicType"`
	SourceCidrIP            string `json:"SourceCidrIp"`
	Ipv6SourceCidrIP        string `json:"Ipv6SourceCidrIp"`
	SourceGroupID           string `json:"SourceGroupId"`
	SourceGroupName         string `json:"SourceGroupName"`
	SourceGroupOwnerAccount string `json:"SourceGroupOwnerAccount"`
	SourcePrefixListID      string `json:"SourcePrefixListId"`
	SourcePrefixListName    string `json:"SourcePrefixListName"`
	DestCidrIP              string `json:"DestCidrIp"`
	Ipv6DestCidrIP          string `json:"Ipv6DestCidrIp"`
	DestGroupID             string `json:"DestGroupId"`
	DestGroupName           string `json:"DestGroupName"`
	DestGroupOwnerAccount   string `json:"DestGroupOwnerAccount"`
	DestPrefixListID        string `json:"DestPrefixListId"`
	DestPrefixListName      string `json:"DestPrefixListName"`
	Description             string `json:"Description"`
	CreateTime              string `json:"CreateTime"`
}

func (r Rule) permission(id string, born time.Time) permission {
	return permission{
		SecurityGroupRuleID: id, Direction: "ingress", IPProtocol: r.Protocol, PortRange: r.Ports, Policy: r.Policy,
		Priority: strconv.Itoa(r.Priority), NicType: "intranet", SourceCidrIP: r.Source.String(),
		Description: r.Description, CreateTime: stamp(born),
	}
}
