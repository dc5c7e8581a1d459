package call

import "net/http"

// statusOf is the HTTP status of a code that some action has with another one than the rest.
func statusOf(c *Call, code string, common int) int {
	switch c.Action + " " + code {
	case "AssociateRouteTable IncorrectVSwitchStatus":
		return http.StatusNotFound
	case "AssociateRouteTable InvalidRouteTableId.NotFound":
		return http.StatusBadRequest
	case "DeleteInstance IncorrectInstanceStatus", "DeleteInstances IncorrectInstanceStatus":
		return http.StatusForbidden
	}
	if code == "InvalidParameter" && c.Version == VPCVersion {
		return http.StatusNotFound
	}
	return common
}
