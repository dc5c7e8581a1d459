package ram

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Call is an API call, as far as it decides which permissions it needs.
type Call struct {
	Product string // vpc or ecs, in any case
	Action  string // for example CreateRouteEntries
	Region  string
	Account string
	Params  map[string]string // as sent: RouteEntries.1.RouteTableId and the like

	// TableOf tells the table of a route entry, for calls that name an entry alone; the
	// cloud knows it, the parameters do not. nil, or an empty answer: not known, and the
	// call needs permission for every table.
	TableOf func(entry string) (table string)
}

// Permits reports whether the policy allows everything that a call needs, and why, or what
// it lacks first.
func (p Policy) Permits(c Call) (allowed bool, why string) {
	why = c.Action + " needs no permission"
	for _, r := range c.Needs() {
		if allowed, why = p.Allows(r); !allowed {
			return false, why
		}
	}
	return true, why
}

// Needs lists the permissions that a call needs: all of them must be allowed. It follows the "RAM authorization" part of each action's page; an action that is
// not known here needs permission for every resource. GetCallerIdentity needs none.
func (c Call) Needs() []Request {
	action := strings.ToLower(c.Product) + ":" + c.Action
	if action == "sts:GetCallerIdentity" {
		return nil
	}
	read, known := actionNeeds()[action]
	if !known {
		return []Request{{Action: action, Resource: "*"}}
	}
	list := read(c)
	for i := range list {
		list[i].Action = action
	}
	return list
}

// actionNeeds tells for each action how its resources follow from its parameters.
func actionNeeds() map[string]func(Call) []Request {
	return map[string]func(Call) []Request{
		"vpc:CreateRouteEntry":                Call.table,
		"vpc:DeleteRouteEntry":                Call.table,
		"vpc:ModifyRouteEntry":                Call.table,
		"vpc:DescribeRouteEntryList":          Call.table,
		"vpc:DescribeRouteTables":             Call.table,
		"vpc:CreateRouteEntries":              Call.tables,
		"vpc:DeleteRouteEntries":              Call.tables,
		"vpc:DescribeRouteTableList":          Call.routers,
		"vpc:DescribeVpcs":                    func(c Call) []Request { return c.each("vpc", strings.Split(c.Params["VpcId"], ",")) },
		"vpc:DescribeVpcAttribute":            func(c Call) []Request { return c.each("vpc", c.scalarsOf("VpcId")) },
		"vpc:DescribeVSwitches":               Call.vswitches,
		"vpc:AssociateRouteTable":             func(c Call) []Request { return c.each("vswitch", c.scalarsOf("VSwitchId")) },
		"vpc:GetVpcRouteEntrySummary":         Call.everything, // documentation not seen: the strict reading
		"ecs:DescribeInstances":               func(c Call) []Request { return c.each("instance", nil) },
		"ecs:DescribeInstanceStatus":          Call.everything,
		"ecs:DescribeNetworkInterfaces":       func(c Call) []Request { return c.each("eni", nil) },
		"ecs:ModifyNetworkInterfaceAttribute": Call.networkInterface,
		"ecs:DescribeSecurityGroupAttribute":  func(c Call) []Request { return c.each("securitygroup", c.scalarsOf("SecurityGroupId")) },
		"ecs:AuthorizeSecurityGroup":          Call.rules,
		"ecs:RevokeSecurityGroup":             Call.rules,
	}
}

func (c Call) everything() []Request { return []Request{{Resource: "*"}} }

// table is the one of RouteTableId, or of the entry that RouteEntryId names.
func (c Call) table() []Request {
	id := c.Params["RouteTableId"]
	if id == "" {
		id = c.tableOf(c.Params["RouteEntryId"])
	}
	return c.each("routetable", []string{id})
}

func (c Call) tableOf(entry string) string {
	if entry == "" || c.TableOf == nil {
		return ""
	}
	return c.TableOf(entry)
}

// tables are those of the items of a batch.
func (c Call) tables() []Request {
	var ids []string
	for _, prefix := range c.itemPrefixes("RouteEntries") {
		id := c.Params[prefix+"RouteTableId"]
		if id == "" {
			id = c.tableOf(c.Params[prefix+"RouteEntryId"])
		}
		ids = append(ids, id)
	}
	return c.each("routetable", ids)
}

func (c Call) routers() []Request {
	list := c.each("routetable", nil)
	if id := c.Params["RouterId"]; id != "" {
		key := "vpc:VRouter"
		if c.Params["RouterType"] == "VBR" {
			key = "vpc:VBR"
		}
		list[0].Keys = map[string]string{key: id}
	}
	return list
}

func (c Call) vswitches() []Request {
	list := c.each("vswitch", nil)
	if id := c.Params["VpcId"]; id != "" {
		list[0].Keys = map[string]string{"vpc:VPC": id}
	}
	return list
}

// networkInterface is the interface that changes, and the groups that it is to join.
func (c Call) networkInterface() []Request {
	list := c.each("eni", c.scalarsOf("NetworkInterfaceId"))
	if groups := c.scalarsOf("SecurityGroupId"); len(groups) > 0 {
		list = append(list, c.each("securitygroup", groups)...)
	}
	return list
}

// rules need every resource, once for each rule, so that a condition holds for all of them.
func (c Call) rules() []Request {
	prefixes := c.itemPrefixes("Permissions")
	if len(prefixes) == 0 {
		prefixes = []string{""} // the older form: one rule at the top level
	}
	var list []Request
	for _, prefix := range prefixes {
		r := Request{Resource: "*", Keys: map[string]string{}}
		for key, parameter := range map[string]string{
			"ecs:SecurityGroupIpProtocols": "IpProtocol", "ecs:SecurityGroupSourceCidrIps": "SourceCidrIp",
		} {
			if value := c.Params[prefix+parameter]; value != "" {
				r.Keys[key] = value
			}
		}
		list = append(list, r)
	}
	return list
}

// each is one request for each id of a type of resource, sorted; an id that is not there
// stands for all of the type.
func (c Call) each(kind string, ids []string) []Request {
	service := strings.ToLower(c.Product)
	var arns []string
	for _, id := range ids {
		arns = append(arns, arn(service, c.Region, c.Account, kind, id))
	}
	if len(ids) == 0 {
		arns = []string{arn(service, c.Region, c.Account, kind, "")}
	}
	slices.Sort(arns)
	var list []Request
	for _, a := range slices.Compact(arns) {
		list = append(list, Request{Resource: a})
	}
	return list
}

func arn(service, region, account, kind, id string) string {
	if id = strings.TrimSpace(id); id == "" {
		id = "*"
	}
	return strings.Join([]string{"acs", service, region, account, kind + "/" + id}, ":")
}

// scalarsOf are the values of a parameter, given once or as Name.1, Name.2, ...
func (c Call) scalarsOf(name string) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(c.Params)) {
		number, listed := strings.CutPrefix(key, name+".")
		if key == name || listed && isNumber(number) {
			out = append(out, c.Params[key])
		}
	}
	return out
}

// itemPrefixes are the prefixes, such as RouteEntries.1., of the objects of a list.
func (c Call) itemPrefixes(name string) []string {
	seen := map[string]bool{}
	for key := range c.Params {
		rest, _ := strings.CutPrefix(key, name+".")
		if number, _, ok := strings.Cut(rest, "."); ok && len(rest) < len(key) && isNumber(number) {
			seen[name+"."+number+"."] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func isNumber(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n > 0
}
