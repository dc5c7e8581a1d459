package alisim

import (
	"slices"
	"strings"
)

// deleteInstances releases machines, all or none: one that a route sends to is kept, and so
// is a running one without Force.
func deleteInstances(w *world, c *call) (reply, error) {
	ids := c.list("InstanceId")
	if id := c.get("InstanceId"); id != "" {
		ids = []string{id}
	}
	if len(ids) == 0 {
		return nil, missing("InstanceId")
	}
	for _, id := range ids {
		i := w.instance(id)
		switch {
		case i == nil:
			return nil, refuse("InvalidInstanceId.NotFound")
		case len(w.pointingAt(i)) > 0:
			return nil, refuse("DependencyViolation.RouteEntry")
		case i.Status != Stopped && !strings.EqualFold(c.get("Force"), "true"):
			return nil, refuse("IncorrectInstanceStatus")
		}
	}
	for _, id := range ids {
		w.drop(id)
	}
	w.touch()
	return &body{}, nil
}

// modifyInstanceMetadataOptions says whether the metadata service wants a token, and
// whether it answers at all.
func modifyInstanceMetadataOptions(w *world, c *call) (reply, error) {
	i := w.instance(c.get("InstanceId"))
	tokens, endpoint := c.get("HttpTokens"), c.get("HttpEndpoint")
	switch {
	case c.get("InstanceId") == "":
		return nil, missing("InstanceId")
	case i == nil:
		return nil, refuse("InvalidInstanceId.NotFound")
	case !slices.Contains([]string{"", "optional", "required"}, tokens):
		return nil, malformed("HttpTokens")
	case !slices.Contains([]string{"", "enabled", "disabled"}, endpoint):
		return nil, malformed("HttpEndpoint")
	}
	if tokens != "" {
		i.HTTPTokens = tokens
	}
	if endpoint != "" {
		i.HTTPEndpoint = endpoint
	}
	return &body{}, nil
}
