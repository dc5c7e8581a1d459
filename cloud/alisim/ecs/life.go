package ecs

import (
	"slices"
	"strings"

	"github.com/sealane/sealane/cloud/alisim/call"
	"github.com/sealane/sealane/cloud/alisim/world"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// deleteInstances releases machines, all or none: one that a route sends to is kept, and so
// is a running one without Force.
func deleteInstances(w *world.World, c *call.Call) (call.Reply, error) {
	ids := c.Scalars("InstanceId")
	if id := c.Param("InstanceId"); id != "" {
		ids = []string{id}
	}
	if len(ids) == 0 {
		return nil, world.MissingParameter("InstanceId")
	}
	for _, id := range ids {
		i := w.Instance(id)
		switch {
		case i == nil:
			return nil, world.NewRefusal("InvalidInstanceId.NotFound")
		case len(w.EntriesTo(i)) > 0:
			return nil, world.NewRefusal("DependencyViolation.RouteEntry")
		case i.Status != seed.Stopped && !strings.EqualFold(c.Param("Force"), "true"):
			return nil, world.NewRefusal("IncorrectInstanceStatus")
		}
	}
	for _, id := range ids {
		w.DropInstance(id)
	}
	w.Touch()
	return &call.Body{}, nil
}

// modifyInstanceMetadataOptions says whether the metadata service wants a token, and
// whether it answers at all.
func modifyInstanceMetadataOptions(w *world.World, c *call.Call) (call.Reply, error) {
	i := w.Instance(c.Param("InstanceId"))
	tokens, endpoint := c.Param("HttpTokens"), c.Param("HttpEndpoint")
	switch {
	case c.Param("InstanceId") == "":
		return nil, world.MissingParameter("InstanceId")
	case i == nil:
		return nil, world.NewRefusal("InvalidInstanceId.NotFound")
	case !slices.Contains([]string{"", "optional", "required"}, tokens):
		return nil, malformedParameter("HttpTokens")
	case !slices.Contains([]string{"", "enabled", "disabled"}, endpoint):
		return nil, malformedParameter("HttpEndpoint")
	}
	if tokens != "" {
		i.HTTPTokens = tokens
	}
	if endpoint != "" {
		i.HTTPEndpoint = endpoint
	}
	return &call.Body{}, nil
}
