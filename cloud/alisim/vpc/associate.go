package vpc

import (
	"github.com/sealane/sealane/cloud/alisim/call"
	"github.com/sealane/sealane/cloud/alisim/world"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// associateRouteTable moves a vSwitch to another custom table. To the system table it goes
// back by unassociateRouteTable.
func (s *Service) associateRouteTable(w *world.World, c *call.Call) (call.Reply, error) {
	t, err := tableFor(w, c, "InvalidRouteTableId.NotFound")
	if err != nil {
		return nil, err
	}
	if c.Param("VSwitchId") == "" {
		return nil, world.MissingParameter("VSwitchId")
	}
	_, repeated, err := s.recallToken(w, c)
	switch {
	case err != nil:
		return nil, err
	case repeated:
		return &call.Body{}, nil
	}
	sw := w.VSwitch(c.Param("VSwitchId"))
	switch {
	case sw == nil:
		return nil, world.NewRefusal("ResourceNotFound.VSwitch")
	case sw.VPC != t.VPC:
		return nil, world.NewRefusal("Forbidden.NotInSameVpc")
	case t.Gateway:
		return nil, world.NewRefusal("OperationDenied.AssociateGatewayRouteTable")
	case sw.Uses == t:
		return nil, world.NewRefusal("ResourceAlreadyAssociated.RouteTable")
	case t.System:
		return nil, world.NewRefusal("OperationDenied.SwitchToSystemRouteTable")
	case t.Status != seed.Available:
		return nil, world.NewRefusal("IncorrectStatus.RouteTable")
	}
	if err := beginAssociation(w, c, sw, t); err != nil {
		return nil, err
	}
	s.rememberToken(c, "")
	return &call.Body{}, nil
}

func unassociateRouteTable(w *world.World, c *call.Call) (call.Reply, error) {
	t, err := tableFor(w, c, "InvalidRouteTableId.NotFound")
	if err != nil {
		return nil, err
	}
	sw := w.VSwitch(c.Param("VSwitchId"))
	switch {
	case sw == nil:
		return nil, world.NewRefusal("InvalidVSwitchId.NotFound")
	case sw.Uses != t:
		return nil, world.NewRefusal("ResourceNotAssociated.RouteTable")
	case t.System:
		return nil, world.NewRefusal("OperationDenied.SystemRouteTable")
	}
	system := world.Find(t.VPC.Tables, func(t *world.Table) bool { return t.System })
	return &call.Body{}, beginAssociation(w, c, sw, system)
}

// beginAssociation begins the task. The vSwitch loses the old table's routes at once, though the
// task still runs.
func beginAssociation(w *world.World, c *call.Call, sw *world.VSwitch, t *world.Table) error {
	if sw.Status != seed.Available {
		return world.NewRefusal("IncorrectVSwitchStatus")
	}
	if err := t.VPC.CheckIdle(); err != nil {
		return err
	}
	w.AssociateVSwitch(sw, t, c.Now)
	return nil
}
