package alicloud

import (
	"errors"
	"net/http"
	"strings"

	"github.com/sealane/sealane/api"
)

// forbidden is the code for an action that the RAM policy does not allow.
const forbidden = "Forbidden.RAM"

// verdict is what a code means.
type verdict struct {
	class class
	kind  error // one of package api
	one   bool  // it is about one entry of a batch, not about the call, the table or the VPC
	table bool  // it is about the table or the VPC, whatever the entry
}

// verdictOf judges an answer by its code, then by the family of its code, then by its
// status. A write whose answer says nothing we know may have happened; a read did nothing.
func verdictOf(code string, status int, write bool) verdict {
	v, known := verdictOfCode(code)
	if tooLong(code, status) {
		v, known = caller(), true
	}
	if !known && status == http.StatusTooManyRequests {
		v, known = throttled(), true
	}
	broken := status >= http.StatusInternalServerError || code == "" && status == http.StatusRequestTimeout
	if !known || broken && !errors.Is(v.kind, api.ErrThrottled) {
		v = mystery()
	}
	switch {
	case write || !errors.Is(v.kind, api.ErrUnknown):
		return v
	case known || broken:
		return verdict{class: refused, kind: api.ErrUnreachable}
	default:
		return verdict{class: permanent, kind: api.ErrInvalid}
	}
}

// tooLong reports whether the gateway found the request too long: it says so in HTML.
func tooLong(code string, status int) bool {
	return code == "" && (status == http.StatusRequestURITooLong || status == http.StatusRequestEntityTooLarge)
}

// verdictOfCode judges a code alone, as batches report them for single entries. A code that
// is neither listed nor of a known family is not known.
func verdictOfCode(code string) (v verdict, known bool) {
	if v, ok := codes[code]; ok {
		return v, true
	}
	for _, f := range families {
		if code != "" && strings.HasPrefix(code, f.prefix) && strings.HasSuffix(code, f.suffix) {
			return f.verdict, true
		}
	}
	return mystery(), false
}

func mystery() verdict   { return verdict{class: unknown, kind: api.ErrUnknown} }
func throttled() verdict { return verdict{class: refused, kind: api.ErrThrottled} }
func lapsed() verdict    { return verdict{class: refused, kind: api.ErrDenied} } // good again with a new credential or clock
func denied() verdict    { return verdict{class: permanent, kind: api.ErrDenied} }
func wrong() verdict     { return verdict{class: permanent, kind: api.ErrInvalid, one: true} }
func caller() verdict    { return verdict{class: permanent, kind: api.ErrInvalid} } // no entry is to blame
func missing() verdict   { return verdict{class: permanent, kind: api.ErrNotFound, one: true} }
func full() verdict      { return verdict{class: permanent, kind: api.ErrQuota, one: true} }
func busy() verdict      { return verdict{class: refused, kind: api.ErrBusy} }
func busyHop() verdict   { return verdict{class: refused, kind: api.ErrBusy, one: true} }
func running() verdict   { return verdict{class: repeat, kind: api.ErrBusy, one: true} }
func gone() verdict      { return verdict{class: unknown, kind: api.ErrNotFound, one: true} } // for a delete this is success

// taken is the answer to a create whose destination is there. It is a question: the entry
// may be ours, of an earlier request.
func taken() verdict { return verdict{class: unknown, kind: api.ErrRefused, one: true} }

// noTable and badTable are about all entries of a table.
func noTable() verdict  { return verdict{class: permanent, kind: api.ErrNotFound, table: true} }
func badTable() verdict { return verdict{class: permanent, kind: api.ErrInvalid, table: true} }

// foreign is the answer to a create whose destination a prefix list has, which is never ours
// and not among the entries.
func foreign() verdict { return verdict{class: permanent, kind: api.ErrRefused, one: true} }

// family is a group of codes that are alike.
type family struct {
	prefix, suffix string
	verdict
}

// families are tried in turn; the first that fits counts.
var families = []family{ //nolint:gochecknoglobals // a constant table
	{"Throttling", "", throttled()},
	{"QuotaExceeded", "", full()},
	{"AuthorizationLimitExceed", "", full()}, // of rules in a security group
	{"InvalidSecurityToken", "", lapsed()},
	{"InvalidAccessKeyId", "", denied()},
	{"InvalidTimeStamp", "", lapsed()},
	{"Forbidden", "NotFound", missing()},
	{"Forbidden", "", denied()},
	{"IncorrectStatus", "", busyHop()},
	{"Invalid", "NotFound", missing()},
	{"ResourceNotFound", "", missing()},
	{"Invalid", "Duplicate", taken()},
	{"IllegalParam", "", wrong()},
	{"MissingParam", "", caller()},
	{"ParamExclusive", "", caller()},
	{"OperationDenied", "", wrong()},
	{"OperationUnsupported", "", wrong()},
	{"Invalid", "", wrong()},
}

// codes are the cloud's own, in its spelling, of the gateway, of VPC and of ECS: from
// the error pages of the actions, and those that Terraform's provider and the cloud's own
// controller ask again after.
var codes = map[string]verdict{ //nolint:gochecknoglobals // a constant table
	"Rejected.Throttling": throttled(),

	"ServiceUnavailable": mystery(),
	"InternalError":      mystery(),
	"VPC.ERROR":          mystery(),
	"Vpc.Error":          mystery(),
	"UnknownError":       mystery(),
	"SignatureNonceUsed": mystery(), // a proxy repeated the request: the first one may have worked

	"SignatureDoesNotMatch":  denied(),
	"IncompleteSignature":    denied(),
	"MissingSecurityToken":   denied(),
	"InvalidVersion":         caller(),
	"InvalidAction.NotFound": caller(),
	"UnsupportedHTTPMethod":  caller(),
	"DryRunOperation":        caller(), // a dry run changes nothing, and we ask for none

	"IllegalParam.NextHopId":                     missing(),
	"InvalidParameter":                           wrong(),
	"InvalidInstanId.NotFound":                   missing(), // the API's spelling
	"OperationFailed.InstanceDismatchCurrentVpc": missing(),
	"OperationFailed.InvalidNexthop":             wrong(),
	"OperationFailed.NotSupportIPV6":             wrong(),
	"Mismatch.EniIdAndRouteTableId":              wrong(),
	"FORBIDDEN_USE_VPC_AS_INTERNET_GATEWAY":      wrong(),

	"InvalidRouteTableId.NotFound":               noTable(),
	"InvalidRouteTable.NotFound":                 noTable(),
	"InvalidVRouter.NotFound":                    noTable(),
	"InvalidVpc.NotFound":                        noTable(),
	"InvalidVPC.NotFound":                        noTable(),
	"InvalidVpcId.NotFound":                      noTable(),
	"Forbidden.VpcNotFound":                      noTable(),
	"OperationDenied.RouteTableTypeNotPermitted": badTable(),

	"OperationFailed.FilterParamUnderWrongRouteType": caller(),
	"OperationFailed.QueryCenEntry":                  caller(),
	"IllegalParam.NextTokenExpired":                  {class: refused, kind: api.ErrUnreachable}, // the listing must begin anew
	"IllegalParam.NextToken":                         {class: refused, kind: api.ErrUnreachable},

	"InvalidCIDRBlock.Duplicate":                 taken(),
	"InvalidRouteEntry.Duplicate":                taken(),
	"RouteConflict.AlreadyExist":                 taken(),
	"Duplicated.VpcNextHop":                      taken(),
	"RouterEntryConflict.Duplicated":             taken(),
	"OperationFailed.CidrConflictWithPrefixList": foreign(),
	"ResourceAlreadyAssociated.PrefixList":       foreign(),
	"ResourceAlreadyAssociated.RouteTable":       taken(),
	"OperationDenied.NextHopNotChanged":          taken(),
	"VPC_ROUTE_ENTRY_CIDR_BLOCK_DUPLICATE":       taken(),
	"VPC_ROUTE_ENTRY_STATUS_ERROR":               busyHop(),
	"VPC_ROUTER_ENTRY_NOT_EXIST":                 gone(),
	"InvalidRouteEntry.NotFound":                 gone(),
	"InvalidRouteEntryId.NotFound":               gone(),

	"IdempotentParameterMismatch":               wrong(),
	"InvalidIdempotenceParameter.Mismatch":      wrong(),
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
}
