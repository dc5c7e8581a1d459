package call

import "github.com/sealane/sealane/api"

// family is a group of codes that are alike.
type family struct {
	prefix, suffix string
	Verdict
}

// families are tried in turn; the first that fits counts.
var families = []family{ //nolint:gochecknoglobals // a constant table
	{"Throttling", "", throttled()},
	{"QuotaExceeded", "", overQuota()},
	{"", "QuotaExceeded", overQuota()},
	{"AuthorizationLimitExceed", "", overQuota()}, // of rules in a security group
	{"InvalidSecurityToken", "", lapsed()},
	{"InvalidAccessKeyId", "", denied()},
	{"InvalidTimeStamp", "", lapsed()},
	{"IllegalTimestamp", "", lapsed()},
	{"Forbidden", "NotFound", notFound()},
	{"Forbidden", "", denied()},
	{"IncorrectStatus", "", busyHop()},
	{"Invalid", "NotFound", notFound()},
	{"ResourceNotFound", "", notFound()},
	{"Invalid", "Duplicate", taken()},
	{"IllegalParam", "", badEntry()},
	{"MissingParam", "", badCall()},
	{"ParamExclusive", "", badCall()},
	{"OperationDenied", "", badEntry()},
	{"OperationUnsupported", "", badEntry()},
	{"Invalid", "", badEntry()},
}

// codes are the cloud's own, in its spelling, of the gateway, of VPC and of ECS: from
// the error pages of the actions, and those that Terraform's provider and the cloud's own
// controller ask again after.
var codes = map[string]Verdict{ //nolint:gochecknoglobals // a constant table
	"Rejected.Throttling": throttled(),

	"ServiceUnavailable": ambiguous(),
	"InternalError":      ambiguous(),
	"VPC.ERROR":          ambiguous(),
	"Vpc.Error":          ambiguous(),
	"UnknownError":       ambiguous(),
	"SignatureNonceUsed": ambiguous(), // a proxy repeated the request: the first one may have worked

	"SignatureDoesNotMatch":  denied(),
	"IncompleteSignature":    denied(),
	"MissingSecurityToken":   denied(),
	"InvalidVersion":         badCall(),
	"InvalidAction.NotFound": badCall(),
	"UnsupportedHTTPMethod":  badCall(),
	"DryRunOperation":        badCall(), // a dry run changes nothing, and we ask for none

	"IllegalParam.NextHopId":                     notFound(),
	"InvalidParameter":                           badEntry(),
	"InvalidInstanId.NotFound":                   notFound(), // the API's spelling
	"OperationFailed.InstanceDismatchCurrentVpc": notFound(),
	"OperationFailed.InvalidNexthop":             badEntry(),
	"OperationFailed.NotSupportIPV6":             badEntry(),
	"Mismatch.EniIdAndRouteTableId":              badEntry(),
	"FORBIDDEN_USE_VPC_AS_INTERNET_GATEWAY":      badEntry(),

	"InvalidRouteTableId.NotFound":               noTable(),
	"InvalidRouteTable.NotFound":                 noTable(),
	"InvalidVRouter.NotFound":                    noTable(),
	"InvalidVpc.NotFound":                        noTable(),
	"InvalidVPC.NotFound":                        noTable(),
	"InvalidVpcId.NotFound":                      noTable(),
	"Forbidden.VpcNotFound":                      noTable(),
	"OperationDenied.RouteTableTypeNotPermitted": badTable(),

	"OperationFailed.FilterParamUnderWrongRouteType": badCall(),
	"OperationFailed.QueryCenEntry":                  badCall(),
	"IllegalParam.NextTokenExpired":                  {Class: Refused, Kind: api.ErrUnreachable}, // the listing must start over
	"IllegalParam.NextToken":                         {Class: Refused, Kind: api.ErrUnreachable},

	"InvalidCIDRBlock.Duplicate":                 taken(),
	"InvalidRouteEntry.Duplicate":                taken(),
	"RouteConflict.AlreadyExist":                 taken(),
	"Duplicated.VpcNextHop":                      taken(),
	"RouterEntryConflict.Duplicated":             taken(),
	"OperationFailed.CidrConflictWithPrefixList": ofPrefixList(),
	"ResourceAlreadyAssociated.PrefixList":       ofPrefixList(),
	"ResourceAlreadyAssociated.RouteTable":       taken(),
	"OperationDenied.NextHopNotChanged":          taken(),
	"VPC_ROUTE_ENTRY_CIDR_BLOCK_DUPLICATE":       taken(),
	"VPC_ROUTE_ENTRY_STATUS_ERROR":               busyHop(),
	"VPC_ROUTER_ENTRY_NOT_EXIST":                 gone(),
	"InvalidRouteEntry.NotFound":                 gone(),
	"InvalidRouteEntryId.NotFound":               gone(),

	"IdempotentParameterMismatch":               badEntry(),
	"InvalidIdempotenceParameter.Mismatch":      badEntry(),
	"LastTokenProcessing":                       running(),
	"OperationFailed.LastTokenProcessing":       running(),
	"OperationFailed.IdempotentTokenProcessing": running(),

	"TaskConflict":                     busy(),
	"OperationConflict":                busy(),
	"IncorrectRouteEntryStatus":        busy(),
	"IncorrcetRouteEntryStatus":        busy(), // the API spells it both ways
	"IncorrectRouteTableStatus":        busy(),
	"IncorrectVpcStatus":               busy(),
	"IncorrectVSwitchStatus":           busy(),
	"IncorrectStatus":                  busy(),
	"IncorrectStatus.VpcRouteEntry":    busy(),
	"IncorrectStatus.Ipv4Gateway":      busy(),
	"IncorrectStatus.RouteTableStatus": busy(),
	"IncorrectStatus.RouteTable":       busy(),
	"InvalidStatus.RouteEntry":         busy(),
	"OperationFailed.DistibuteLock":    busy(), // the API's spelling
	"OperationFailed.OperationLocked":  busy(),
	"SystemBusy":                       busy(),
	"Forbbiden":                        busy(), // the API's spelling; seen while entries change
	"DependencyViolation.RouteEntry":   busy(),
	"IncorrectInstanceStatus":          busyHop(), // of the next hop; may last
	"IncorrectHaVipStatus":             busyHop(),
	"InvalidVBRStatus":                 busyHop(),
	"InstanceStatus.NotSupport":        busyHop(),
}
