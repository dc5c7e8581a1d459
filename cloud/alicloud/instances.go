package alicloud

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

const (
	instancePage  = 100 // ids that DescribeInstances and DescribeNetworkInterfaces take
	interfacePage = 500 // the most that DescribeNetworkInterfaces gives
)

// machine is an instance on its way to a cloud.Instance.
type machine struct {
	cloud.Instance
	eni    string // its primary interface
	groups []string
}

// Instances implements cloud.Tables.
//
// Where the permission to look at interfaces or security groups is missing, the answer is
// the careful one: SourceCheck is true and Admits is empty.
func (p *Provider) Instances(ctx context.Context, ids []api.InstanceID) ([]cloud.Instance, error) {
	// No id must never become no filter, which would describe every instance there is.
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	ids = slices.DeleteFunc(ids, func(id api.InstanceID) bool { return id == "" })
	var machines []machine
	for chunk := range slices.Chunk(ids, instancePage) {
		found, err := p.describe(ctx, chunk)
		if err == nil {
			err = p.readChecks(ctx, found)
		}
		if err != nil {
			return nil, fmt.Errorf("read instances: %w", err)
		}
		machines = append(machines, found...)
	}
	if err := p.readAdmits(ctx, machines); err != nil {
		return nil, fmt.Errorf("read instances: %w", err)
	}
	var instances []cloud.Instance
	for _, m := range machines {
		instances = append(instances, m.Instance)
	}
	slices.SortFunc(instances, func(a, b cloud.Instance) int { return cmp.Compare(a.ID, b.ID) })
	return instances, nil
}

// describe finds those of at most 100 instances that the cloud knows.
func (p *Provider) describe(ctx context.Context, ids []api.InstanceID) ([]machine, error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	var found []machine
	about := fmt.Sprintf("%d instances", len(ids))
	err = byToken(func(token string) (string, error) {
		req, resp := ecs.CreateDescribeInstancesRequest(), ecs.CreateDescribeInstancesResponse()
		req.InstanceIds, req.MaxResults, req.NextToken = string(list), requests.NewInteger(instancePage), token
		if err := p.client.do(ctx, call{about: about, list: "Instances", req: req, resp: resp}); err != nil {
			return "", err
		}
		for _, i := range resp.Instances.Instance {
			m := fromInstance(i)
			known := slices.ContainsFunc(found, func(o machine) bool { return o.ID == m.ID })
			if slices.Contains(ids, m.ID) && !known {
				found = append(found, m)
			}
		}
		return resp.NextToken, nil
	})
	return found, err
}

func fromInstance(i ecs.Instance) machine {
	m := machine{
		Instance: cloud.Instance{
			ID: api.InstanceID(i.InstanceId), Status: cloud.Status(i.Status), VPC: api.VPCID(i.VpcAttributes.VpcId),
			Interface: cloud.Interface{SourceCheck: true, VSwitch: api.VSwitchID(i.VpcAttributes.VSwitchId)},
		},
		groups: i.SecurityGroupIds.SecurityGroupId,
	}
	var address string
	if all := i.VpcAttributes.PrivateIpAddress.IpAddress; len(all) > 0 {
		address = all[0]
	}
	for _, eni := range i.NetworkInterfaces.NetworkInterface {
		if strings.EqualFold(eni.Type, "Primary") {
			m.eni, address = eni.NetworkInterfaceId, cmp.Or(eni.PrimaryIpAddress, address)
		}
	}
	m.IP, _ = netip.ParseAddr(address) // an instance in the making has none yet
	return m
}

// readChecks asks for the source/destination check of the primary interfaces.
func (p *Provider) readChecks(ctx context.Context, machines []machine) error {
	byENI := map[string]*machine{}
	var enis []string
	for i := range machines {
		if m := &machines[i]; m.eni != "" {
			byENI[m.eni] = m
			enis = append(enis, m.eni)
		}
	}
	if len(enis) == 0 {
		return nil
	}
	about := fmt.Sprintf("%d interfaces", len(enis))
	err := byToken(func(token string) (string, error) {
		req, resp := ecs.CreateDescribeNetworkInterfacesRequest(), ecs.CreateDescribeNetworkInterfacesResponse()
		req.NetworkInterfaceId, req.MaxResults, req.NextToken = &enis, requests.NewInteger(interfacePage), token
		if err := p.client.do(ctx, call{about: about, list: "NetworkInterfaceSets", req: req, resp: resp}); err != nil {
			return "", err
		}
		for _, eni := range resp.NetworkInterfaceSets.NetworkInterfaceSet {
			if m := byENI[eni.NetworkInterfaceId]; m != nil {
				m.SourceCheck = eni.SourceDestCheck
			}
		}
		return resp.NextToken, nil
	})
	return p.tolerate(ctx, err)
}

// readAdmits asks for the rules of every security group once.
func (p *Provider) readAdmits(ctx context.Context, machines []machine) error {
	rules := map[string][]ecs.Permission{}
	for i := range machines {
		var all []ecs.Permission
		complete := true
		for _, group := range machines[i].groups {
			if _, ok := rules[group]; !ok {
				found, err := p.ingress(ctx, group)
				if err = p.tolerate(ctx, err); err != nil {
					return err
				}
				rules[group] = found // nil when it may not be read
			}
			all = append(all, rules[group]...)
			complete = complete && rules[group] != nil
		}
		// A group that cannot be read may drop what another one accepts.
		if complete {
			machines[i].Admits = admits(all)
		}
	}
	return nil
}

// tolerate lets a missing permission pass, and says so once.
func (p *Provider) tolerate(ctx context.Context, err error) error {
	if !errors.Is(err, api.ErrDenied) {
		return err
	}
	if !p.blind.Swap(true) {
		p.log.WarnContext(ctx, "cannot read interfaces or security groups; assuming they hold container traffic back",
			api.KeyError, err)
	}
	return nil
}
