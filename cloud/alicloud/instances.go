package alicloud

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alicloud/call"
)

const (
	instancePage  = 100 // ids that DescribeInstances and DescribeNetworkInterfaces take
	interfacePage = 500 // the most that DescribeNetworkInterfaces gives
)

// Instances implements cloud.Tables.
//
// N instances cost ceil(N/100) calls of DescribeInstances, one of
// DescribeSecurityGroupAttribute for each distinct security group of theirs, and for their
// interfaces either ceil(E/500) calls that list the E interfaces of the VPC, or, where that
// would be more than ceil(N/100), one for each 100 of theirs. Interfaces and groups known
// from the last time are asked for together with the instances, eight calls at a time, so
// that up to eight calls in all take the time of one. What is new since costs another round,
// as do interfaces outside of the VPC; the type of a group whose members are kept apart is
// asked for once.
//
// Where the permission to read interfaces or security groups is missing, the answer is
// the careful one: SourceCheck is true, Admits and Emits are empty, and Unread says so.
func (p *Provider) Instances(ctx context.Context, ids []api.InstanceID) ([]cloud.Instance, error) {
	// No id must never become no filter, which would describe every instance there is.
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	ids = slices.DeleteFunc(ids, func(id api.InstanceID) bool { return id == "" })
	if len(ids) == 0 {
		return nil, nil
	}
	s, err := p.survey(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read instances: %w", err)
	}
	var instances []cloud.Instance
	for _, i := range s.instances {
		out := s.instanceOf(i)
		s.addGroups(&out.Interface)
		for n := range out.Others {
			s.addGroups(&out.Others[n])
		}
		instances = append(instances, out)
	}
	slices.SortFunc(instances, func(a, b cloud.Instance) int { return cmp.Compare(a.ID, b.ID) })
	return instances, nil
}

// readInstances finds those of at most 100 instances that the cloud knows.
func (s *survey) readInstances(ctx context.Context, ids []api.InstanceID) error {
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	about := fmt.Sprintf("%d instances", len(ids))
	return call.ReadByToken(func(token string) (string, error) {
		req, resp := ecs.CreateDescribeInstancesRequest(), ecs.CreateDescribeInstancesResponse()
		req.InstanceIds, req.MaxResults, req.NextToken = string(list), requests.NewInteger(instancePage), token
		if err := s.client.Do(ctx, call.Request{About: about, List: "Instances", Request: req, Response: resp}); err != nil {
			return "", err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, i := range resp.Instances.Instance {
			if slices.Contains(ids, api.InstanceID(i.InstanceId)) {
				s.instances[i.InstanceId] = i
			}
		}
		return resp.NextToken, nil
	})
}

// listInterfaces reads the interfaces of the whole VPC, unless they are more pages than the
// limit.
func (s *survey) listInterfaces(ctx context.Context, limit int) error {
	pages := 0
	return call.ReadByToken(func(token string) (string, error) {
		req := ecs.CreateDescribeNetworkInterfacesRequest()
		req.VpcId, req.NextToken = string(s.vpc), token
		next, err := s.pageOfInterfaces(ctx, string(s.vpc), req)
		if pages++; pages >= limit && next != "" {
			s.crowded, next = true, ""
		}
		return next, err
	})
}

// readInterfaces reads at most 100 interfaces.
func (s *survey) readInterfaces(ctx context.Context, ids []string) error {
	about := fmt.Sprintf("%d interfaces", len(ids))
	return call.ReadByToken(func(token string) (string, error) {
		req := ecs.CreateDescribeNetworkInterfacesRequest()
		req.NetworkInterfaceId, req.NextToken = &ids, token
		return s.pageOfInterfaces(ctx, about, req)
	})
}

func (s *survey) pageOfInterfaces(ctx context.Context, about string, req *ecs.DescribeNetworkInterfacesRequest) (next string, err error) {
	resp := ecs.CreateDescribeNetworkInterfacesResponse()
	req.MaxResults = requests.NewInteger(interfacePage)
	err = s.client.Do(ctx, call.Request{About: about, List: "NetworkInterfaceSets", Request: req, Response: resp})
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		return "", s.tolerate(readingInterfaces, err)
	}
	for _, n := range resp.NetworkInterfaceSets.NetworkInterfaceSet {
		s.interfaces[n.NetworkInterfaceId] = n
	}
	return resp.NextToken, nil
}

// instanceOf puts together what was read of an instance, but for what its groups come to.
func (s *survey) instanceOf(i ecs.Instance) cloud.Instance {
	out := cloud.Instance{ID: api.InstanceID(i.InstanceId), Status: cloud.Status(i.Status), VPC: api.VPCID(i.VpcAttributes.VpcId)}
	// An instance that is being created has no interface and no address yet.
	primary := cloud.Interface{SourceCheck: true, Unread: true, VSwitch: api.VSwitchID(i.VpcAttributes.VSwitchId)}
	if all := i.VpcAttributes.PrivateIpAddress.IpAddress; len(all) > 0 {
		primary.IP, _ = netip.ParseAddr(all[0])
	}
	primary.Groups = groupIDs(i.SecurityGroupIds.SecurityGroupId)
	for _, n := range i.NetworkInterfaces.NetworkInterface {
		of := cloud.Interface{SourceCheck: true, Unread: true}
		if strings.EqualFold(n.Type, "Primary") {
			of = primary
		}
		of.ID = api.InterfaceID(n.NetworkInterfaceId)
		if a, err := netip.ParseAddr(n.PrimaryIpAddress); err == nil {
			of.IP = a
		}
		of = s.addInterface(of)
		if strings.EqualFold(n.Type, "Primary") {
			primary = of
			continue
		}
		out.Others = append(out.Others, of)
	}
	out.Interface = primary
	slices.SortFunc(out.Others, func(a, b cloud.Interface) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// addInterface adds what DescribeNetworkInterfaces said of an interface, if it could be asked.
func (s *survey) addInterface(n cloud.Interface) cloud.Interface {
	read, ok := s.interfaces[string(n.ID)]
	if !ok {
		return n
	}
	n.VSwitch, n.SourceCheck, n.Unread = api.VSwitchID(read.VSwitchId), read.SourceDestCheck, false
	n.Groups = groupIDs(read.SecurityGroupIds.SecurityGroupId)
	return n
}

func groupIDs(texts []string) []api.GroupID {
	var ids []api.GroupID
	for _, text := range texts {
		ids = append(ids, api.GroupID(text))
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// addGroups adds what the groups of an interface come to. One that could not be read may drop
// what another accepts.
func (s *survey) addGroups(n *cloud.Interface) {
	groups := make([]group, 0, len(n.Groups))
	for _, id := range n.Groups {
		g, ok := s.groups[id]
		if !ok {
			n.Unread = true
			return
		}
		groups = append(groups, g)
	}
	if len(groups) > 0 {
		n.Admits, n.Emits = passingPeers(ingress, groups...), passingPeers(egress, groups...)
		n.MayAdmit, n.MayEmit = openings(ingress, groups...), openings(egress, groups...)
	}
}
