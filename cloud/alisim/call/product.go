package call

import "net/http"

// Versions of the APIs, which tell the products apart.
const (
	VPCVersion = "2016-04-28"
	ECSVersion = "2014-05-26"
	STSVersion = "2015-04-01"

	LocationVersion = "2015-06-12"
)

// productName is the name that goes with a version in hosts and permissions.
func productName(version string) string {
	switch version {
	case ECSVersion:
		return "Ecs"
	case STSVersion:
		return "Sts"
	case LocationVersion:
		return "Location"
	default:
		return "Vpc"
	}
}

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
