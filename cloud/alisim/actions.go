package alisim

import (
	"maps"

	"github.com/sealane/sealane/cloud/alisim/call"
	"github.com/sealane/sealane/cloud/alisim/ecs"
	"github.com/sealane/sealane/cloud/alisim/world"
)

// actionOf finds the handler of an action. The VPC actions under the ECS version are those of
// the time before VPC was a product of its own; old clients still call them so.
func (s *Sim) actionOf(c *call.Call) (call.Handler, error) {
	var actions map[string]call.Handler
	switch c.Version {
	case call.VPCVersion:
		actions = s.vpc.Actions()
	case call.ECSVersion:
		actions = ecs.Actions()
		maps.Copy(actions, s.vpc.LegacyActions())
	case call.STSVersion:
		actions = map[string]call.Handler{"GetCallerIdentity": s.keys.CallerIdentity}
	case call.LocationVersion:
		actions = map[string]call.Handler{"DescribeEndpoints": call.DescribeEndpoints}
	case "":
		return nil, world.MissingParameter("Version")
	default:
		return nil, world.NewRefusal("InvalidVersion")
	}
	if c.Action == "" {
		return nil, world.MissingParameter("Action")
	}
	h, ok := actions[c.Action]
	if !ok {
		return nil, world.NewRefusal("InvalidAction.NotFound")
	}
	return h, nil
}
