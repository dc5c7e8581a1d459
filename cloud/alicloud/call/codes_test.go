package call

import (
	"errors"
	"testing"

	"github.com/sealane/sealane/api"
)

// Every code that the API's documents and its other clients name, with what it means for a
// write. Batches report those of the last group, and others, for single entries.
func TestVerdicts(t *testing.T) {
	type want struct {
		Class Class
		kind  error
	}
	var (
		slow    = want{Refused, api.ErrThrottled}
		lost    = want{Unknown, api.ErrUnknown}
		wait    = want{Refused, api.ErrBusy}
		token   = want{Repeat, api.ErrBusy}
		renewed = want{Refused, api.ErrDenied}
		never   = want{Permanent, api.ErrDenied}
		bad     = want{Permanent, api.ErrInvalid}
		absent  = want{Permanent, api.ErrNotFound}
		noRoom  = want{Permanent, api.ErrQuota}
		there   = want{Unknown, api.ErrRefused}
		others  = want{Permanent, api.ErrRefused}
		went    = want{Unknown, api.ErrNotFound}
		anew    = want{Refused, api.ErrUnreachable}
	)
	for _, group := range []struct {
		name  string
		codes map[string]want
	}{
		{"gateway", map[string]want{
			"Throttling": slow, "Throttling.User": slow, "Throttling.Api": slow, "Rejected.Throttling": slow,
			"ServiceUnavailable": lost, "InternalError": lost, "SignatureNonceUsed": lost,
			"SignatureDoesNotMatch": never, "IncompleteSignature": never, "MissingSecurityToken": never,
			"InvalidTimeStamp.Expired": renewed, "InvalidTimeStamp.Format": renewed, "IllegalTimestamp": renewed,
			"InvalidSecurityToken.Expired": renewed, "InvalidSecurityToken.Malformed": renewed, "InvalidSecurityToken.MismatchWithAccessKey": renewed,
			"InvalidAccessKeyId.NotFound": never, "InvalidAccessKeyId.Inactive": never, "Forbidden.AccessKeyDisabled": never, "Forbidden.RAM": never,
			"MissingParameter": bad, "InvalidVersion": bad, "InvalidAction.NotFound": bad, "UnsupportedHTTPMethod": bad, "DryRunOperation": bad,
			"IdempotentParameterMismatch": bad, "InvalidIdempotenceParameter.Mismatch": bad,
			"LastTokenProcessing": token, "OperationFailed.LastTokenProcessing": token, "OperationFailed.IdempotentTokenProcessing": token,
		}},
		{"create: destination", map[string]want{
			"IllegalParam.CidrBlock": bad, "InvalidCidrBlock": bad, "InvalidCidrBlock.Malformed": bad, "InvalidDestinationCidrBlock": bad,
			"FORBIDDEN_USE_VPC_AS_INTERNET_GATEWAY": bad,
			"InvalidCIDRBlock.Duplicate":            there, "InvalidRouteEntry.Duplicate": there, "RouteConflict.AlreadyExist": there,
			"Duplicated.VpcNextHop": there, "RouterEntryConflict.Duplicated": there,
			"OperationFailed.CidrConflictWithPrefixList": others, "ResourceAlreadyAssociated.PrefixList": others,
		}},
		{"create: IPv6", map[string]want{
			"OperationUnsupported.DestinationCidrBlockOverlapWithVSwitch": bad, "OperationDenied.Ipv6EntryOnCustomTable": bad,
			"OperationUnsupported.Ipv6EntryOnPrimaryNetworkInterface": bad, "OperationUnsupported.MutipleIpv6Address": bad,
			"OperationFailed.NotSupportIPV6": bad,
		}},
		{"create: next hop", map[string]want{
			"InvalidNextHop.NotFound": absent, "IllegalParam.NextHopId": absent, "InvalidInstanId.NotFound": absent, "InvalidNextHopId.NotFound": absent,
			"OperationFailed.InstanceDismatchCurrentVpc": absent,
			"InvalidNexthopTypeAndList.BothNull":         bad, "InvalidNexthopTypeAndList.BothNotNull": bad, "InvalidNexthop.DirectEni": bad,
			"OperationFailed.InvalidNexthop": bad, "Mismatch.EniIdAndRouteTableId": bad,
		}},
		{"create: quota, table, text, server", map[string]want{
			"QuotaExceeded": noRoom, "QuotaExceeded.HaVipRouteEntry": noRoom, "QuotaExceeded.RouteEntry": noRoom,
			"RouteEntryQuotaExceeded": noRoom, "VpcQuotaExceeded": noRoom,
			"OperationDenied.RouteTableTypeNotPermitted": bad,
			"InvalidRouteTableId.NotFound":               absent, "InvalidVRouter.NotFound": absent, "InvalidVPC.NotFound": absent, "InvalidVpc.NotFound": absent,
			"InvalidRouteEntryName.Malformed": bad, "InvalidDescription.Malformed": bad, "InvalidParameter": bad,
			"VPC.ERROR": lost, "Vpc.Error": lost, "UnknownError": lost,
		}},
		{"state", map[string]want{
			"TaskConflict": wait, "OperationConflict": wait, "IncorrectRouteEntryStatus": wait, "IncorrcetRouteEntryStatus": wait,
			"IncorrectVpcStatus": wait, "IncorrectVSwitchStatus": wait, "IncorrectInstanceStatus": wait, "IncorrectHaVipStatus": wait,
			"InvalidVBRStatus": wait, "IncorrectStatus": wait, "IncorrectStatus.RouteTableStatus": wait, "IncorrectStatus.RouteTable": wait,
			"IncorrectStatus.MultiScopeRiRouteEntry": wait, "IncorrectStatus.RouterInterface": wait, "IncorrectStatus.PrefixList": wait,
			"IncorrectStatus.Ipv4Gateway": wait, "IncorrectStatus.Ipv6Address": wait, "IncorrectStatus.VpcPeer": wait,
			"IncorrectStatus.VpcRouteEntry": wait, "IncorrectRouteTableStatus": wait, "InvalidStatus.RouteEntry": wait,
			"OperationFailed.DistibuteLock": wait, "OperationFailed.OperationLocked": wait, "SystemBusy": wait, "Forbbiden": wait,
			"DependencyViolation.RouteEntry": wait, "IncorrectStatus.cbnStatus": wait, "IncorrectStatus.Status": wait, "InstanceStatus.NotSupport": wait,
		}},
		{"delete and modify", map[string]want{
			"InvalidRouteEntry.NotFound": went, "InvalidRouteEntryId.NotFound": went,
			"OperationDenied": bad, "OperationDenied.DeleteManagedRouteEntry": bad, "OperationDenied.LockedInstance": bad, "OperationDenied.NextHopNotChanged": there,
			"ParamExclusive.RouteEntryId": bad, "InvalidNextHopList.Size": bad, "InvalidVpcId.NotFound": absent,
		}},
		{"lists and tables", map[string]want{
			"IllegalParam.NextToken": anew, "IllegalParam.NextTokenExpired": anew,
			"InvalidRouteTable.NotFound": absent, "IllegalParam.RouteEntryType": bad, "IllegalParam.IpVersion": bad,
			"OperationFailed.FilterParamUnderWrongRouteType": bad, "OperationFailed.QueryCenEntry": bad,
			"OperationDenied.UseGatewayRouteEntryQueryInterface": bad, "Forbidden.VpcNotFound": absent,
			"ResourceAlreadyAssociated.RouteTable": there, "OperationDenied.AssociateGatewayRouteTable": bad,
			"OperationDenied.SwitchToSystemRouteTable": bad, "ResourceNotFound.VSwitch": absent, "InvalidVSwitchId.NotFound": absent,
			"Forbidden.VSwitchAlreadyAssociatedRouteTable": never, "Forbidden.NotInSameVpc": never,
			"InvalidSecurityGroupId.NotFound": absent, "InvalidSecurityGroupId.Malformed": bad,
		}},
		{"batches", map[string]want{
			"VPC_ROUTE_ENTRY_CIDR_BLOCK_DUPLICATE": there, "VPC_ROUTE_ENTRY_STATUS_ERROR": wait, "VPC_ROUTER_ENTRY_NOT_EXIST": went,
			"MissingParam.RouteTableId": bad,
		}},
		{"not listed", map[string]want{"": lost, "No.Such.Code": lost, "NetworkError": lost, "SdkError": lost, "VPC_ROUTE_ENTRY_SURPRISE": lost}},
	} {
		t.Run(group.name, func(t *testing.T) {
			for code, want := range group.codes {
				got := verdictOf(code, 400, true)
				if got.Class != want.Class || !errors.Is(got.Kind, want.kind) {
					t.Errorf("%s: got %s, %v; want %s, %v", code, got.Class, got.Kind, want.Class, want.kind)
				}
			}
		})
	}
}

// A status of 500 and above says nothing about what was done, whatever the code; being
// throttled does.
func TestVerdictsByStatus(t *testing.T) {
	for _, test := range []struct {
		status      int
		code        string
		write, read error
	}{
		{503, "Throttling.Api", api.ErrThrottled, api.ErrThrottled},
		{503, "ServiceUnavailable", api.ErrUnknown, api.ErrUnreachable},
		{400, "ServiceUnavailable", api.ErrUnknown, api.ErrUnreachable},
		{500, "InternalError", api.ErrUnknown, api.ErrUnreachable},
		{500, "TaskConflict", api.ErrUnknown, api.ErrUnreachable},
		{500, "QuotaExceeded", api.ErrUnknown, api.ErrUnreachable},
		{502, "", api.ErrUnknown, api.ErrUnreachable},
		{414, "", api.ErrInvalid, api.ErrInvalid},
		{429, "", api.ErrThrottled, api.ErrThrottled},
		{429, "No.Such.Code", api.ErrThrottled, api.ErrThrottled},
		{408, "", api.ErrUnknown, api.ErrUnreachable},
		{404, "", api.ErrUnknown, api.ErrInvalid},
		{400, "No.Such.Code", api.ErrUnknown, api.ErrInvalid},
		{400, "UnknownError", api.ErrUnknown, api.ErrUnreachable},
		{400, "SignatureNonceUsed", api.ErrUnknown, api.ErrUnreachable},
		{403, "AuthorizationLimitExceed", api.ErrQuota, api.ErrQuota},
		{403, "Forbidden.RAM", api.ErrDenied, api.ErrDenied},
	} {
		if got := verdictOf(test.code, test.status, true).Kind; !errors.Is(got, test.write) {
			t.Errorf("%d %s of a write: got %v, want %v", test.status, test.code, got, test.write)
		}
		if got := verdictOf(test.code, test.status, false).Kind; !errors.Is(got, test.read) {
			t.Errorf("%d %s of a read: got %v, want %v", test.status, test.code, got, test.read)
		}
	}
}
