package alisim

// Versions of the APIs, which tell the products apart.
const (
	vpcVersion = "2016-04-28"
	ecsVersion = "2014-05-26"
	stsVersion = "2015-04-01"

	locationVersion = "2015-06-12"
)

// product is the name that goes with a version in hosts and permissions.
func product(version string) string {
	switch version {
	case ecsVersion:
		return "Ecs"
	case stsVersion:
		return "Sts"
	case locationVersion:
		return "Location"
	default:
		return "Vpc"
	}
}
