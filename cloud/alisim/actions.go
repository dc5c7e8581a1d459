package alisim

import "maps"

// lookup finds the handler of an action. The VPC actions under the ECS version are those of
// the time before VPC was a product of its own; old clients still call them so.
func (s *Sim) lookup(c *call) (handler, error) {
	var actions map[string]handler
	switch c.version {
	case vpcVersion:
		actions = s.vpc.Actions()
	case ecsVersion:
		actions = ecsActions()
		maps.Copy(actions, s.vpc.LegacyActions())
	case stsVersion:
		actions = map[string]handler{"GetCallerIdentity": s.keys.CallerIdentity}
	case locationVersion:
		actions = map[string]handler{"DescribeEndpoints": DescribeEndpoints}
	case "":
		return nil, missing("Version")
	default:
		return nil, refuse("InvalidVersion")
	}
	if c.action == "" {
		return nil, missing("Action")
	}
	h, ok := actions[c.action]
	if !ok {
		return nil, refuse("InvalidAction.NotFound")
	}
	return h, nil
}
