package alisim

// associateRouteTable moves a vSwitch to another custom table. To the system table it goes
// back by unassociateRouteTable.
func (s *Service) associateRouteTable(w *world, c *call) (reply, error) {
	t, err := tableFor(w, c, "InvalidRouteTableId.NotFound")
	if err != nil {
		return nil, err
	}
	if c.get("VSwitchId") == "" {
		return nil, missing("VSwitchId")
	}
	_, repeated, err := s.recall(w, c)
	switch {
	case err != nil:
		return nil, err
	case repeated:
		return &body{}, nil
	}
	sw := w.vswitch(c.get("VSwitchId"))
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
	if err := beginAssociation(w, c, sw, t); err != nil {
		return nil, err
	}
	s.remember(c, "")
	return &body{}, nil
}

func unassociateRouteTable(w *world, c *call) (reply, error) {
	t, err := tableFor(w, c, "InvalidRouteTableId.NotFound")
	if err != nil {
		return nil, err
	}
	sw := w.vswitch(c.get("VSwitchId"))
	switch {
	case sw == nil:
		return nil, refuse("InvalidVSwitchId.NotFound")
	case sw.table != t:
		return nil, refuse("ResourceNotAssociated.RouteTable")
	case t.System:
		return nil, refuse("OperationDenied.SystemRouteTable")
	}
	system := find(t.vpc.tables, func(t *table) bool { return t.System })
	return &body{}, beginAssociation(w, c, sw, system)
}

// beginAssociation begins the task. The vSwitch loses the old table's routes at once, though the
// task still runs.
func beginAssociation(w *world, c *call, sw *vswitch, t *table) error {
	if sw.status != Available {
		return refuse("IncorrectVSwitchStatus")
	}
	if err := t.vpc.idle(); err != nil {
		return err
	}
	w.associate(sw, t, c.now)
	return nil
}
