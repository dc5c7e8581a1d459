package alisim

import "cmp"

// associateRouteTable moves a vSwitch to another custom table. To the system table it goes
// back by unassociateRouteTable.
func associateRouteTable(s *Sim, c *call) (reply, error) {
	t, err := s.tableFor(c, "InvalidRouteTableId.NotFound")
	if err != nil {
		return nil, err
	}
	if c.get("VSwitchId") == "" {
		return nil, missing("VSwitchId")
	}
	_, repeated, err := s.recall(c)
	switch {
	case err != nil:
		return nil, err
	case repeated:
		return &body{}, nil
	}
	sw := s.world.vswitch(c.get("VSwitchId"))
	switch {
	case sw == nil:
		return nil, refuse("ResourceNotFound.VSwitch")
	case sw.vpc != t.vpc:
		return nil, refuse("Forbidden.NotInSameVpc")
	case t.Gateway:
		return nil, refuse("OperationDenied.AssociateGatewayRouteTable")
	case sw.table == t:
		return nil, refuse("ResourceAlreadyAssociated.RouteTable")
	case t.System:
		return nil, refuse("OperationDenied.SwitchToSystemRouteTable")
	case t.status != Available:
		return nil, refuse("IncorrectStatus.RouteTable")
	}
	if err := sw.associate(s, c, t); err != nil {
		return nil, err
	}
	s.remember(c, "")
	return &body{}, nil
}

func unassociateRouteTable(s *Sim, c *call) (reply, error) {
	t, err := s.tableFor(c, "InvalidRouteTableId.NotFound")
	if err != nil {
		return nil, err
	}
	sw := s.world.vswitch(c.get("VSwitchId"))
	switch {
	case sw == nil:
		return nil, refuse("InvalidVSwitchId.NotFound")
	case sw.table != t:
		return nil, refuse("ResourceNotAssociated.RouteTable")
	case t.System:
		return nil, refuse("OperationDenied.SystemRouteTable")
	}
	system := find(t.vpc.tables, func(t *table) bool { return t.System })
	return &body{}, sw.associate(s, c, system)
}

// associate begins the task. The vSwitch loses the old table's routes at once, though the
// task still runs.
func (sw *vswitch) associate(s *Sim, c *call, t *table) error {
	if sw.status != Available {
		return refuse("IncorrectVSwitchStatus")
	}
	if err := t.vpc.idle(); err != nil {
		return err
	}
	sw.table, sw.status = t, Pending
	s.world.begin(t.vpc, c.now, nil)
	t.vpc.task.vswitch = sw
	s.wake()
	return nil
}

// describeEndpoints is the location service's only action: everything is here.
func describeEndpoints(s *Sim, c *call) (reply, error) {
	out, scheme := &endpoints{Success: true}, "HTTP"
	if c.secured {
		scheme = "HTTPS"
	}
	out.Endpoints.Endpoint = []endpoint{{
		Protocols: protocols{[]string{scheme}}, Type: cmp.Or(c.get("Type"), "openAPI"), ID: cmp.Or(c.get("Id"), s.world.region),
		ServiceCode: c.get("ServiceCode"), Endpoint: c.host,
	}}
	return out, nil
}

type endpoints struct {
	body
	Success   bool `json:"Success"`
	Endpoints struct {
		Endpoint []endpoint `json:"Endpoint"`
	} `json:"Endpoints"`
}

type endpoint struct {
	Protocols   protocols `json:"Protocols"`
	Type        string    `json:"Type"`
	Namespace   string    `json:"Namespace"`
	ID          string    `json:"Id"`
	ServiceCode string    `json:"SerivceCode"` // the API's spelling
	Endpoint    string    `json:"Endpoint"`
}

type protocols struct {
	Protocols []string `json:"Protocols"`
}
