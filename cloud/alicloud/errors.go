package alicloud

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"

	"github.com/sealane/sealane/api"
)

const maxMessage = 300 // bytes of the cloud's own words; a gateway's HTML page is longer

// translate turns an error of the SDK, the network or the cloud into one of ours. It is
// the only place that looks at them.
func translate(ctx context.Context, err error, cl call, cred credential, sent bool) error {
	what := cl.req.GetActionName() + " of " + cl.about
	var answer *sdkerrors.ServerError
	switch {
	case errors.As(err, &answer):
		return fmt.Errorf("%s: %s: %w", what, describe(answer, cred), kindOf(answer, cl.writes()))
	case cl.writes() && sent && ctx.Err() != nil:
		return fmt.Errorf("%s: %w: %w", what, api.ErrUnknown, ctx.Err())
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", what, ctx.Err())
	case cl.writes() && sent:
		return fmt.Errorf("%s: %s: %w", what, transportText(err, cred), api.ErrUnknown)
	default:
		return fmt.Errorf("%s: %s: %w", what, transportText(err, cred), api.ErrUnreachable)
	}
}

// transportText leaves out the URL of a request, which carries key, token and signature,
// and what the SDK quotes of an answer that it could not decode.
func transportText(err error, cred credential) string {
	var withURL *url.Error
	var ofSDK *sdkerrors.ClientError
	switch {
	case errors.As(err, &withURL):
		err = withURL.Err
	case errors.As(err, &ofSDK):
		return "answer not understood: " + ofSDK.ErrorCode()
	}
	return cut(err.Error(), cred)
}

// cut makes a foreign text one line of bounded length. The credential goes first: half of
// a secret would not be found any more.
func cut(text string, cred credential) string {
	text = strings.Join(strings.Fields(cred.redact(text)), " ")
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "..."
	}
	return text
}

// describe is the cloud's answer in one line.
func describe(e *sdkerrors.ServerError, cred credential) string {
	text := fmt.Sprintf("status %d", e.HttpStatus())
	if e.ErrorCode() != "" {
		text = cut(e.ErrorCode(), cred)
	}
	switch message := cut(e.Message(), cred); {
	case e.ErrorCode() == "SignatureDoesNotMatch":
		text += ": the secret does not belong to the key" // the message has all parameters in it
	case message != "":
		text += ": " + message
	}
	if action, ok := e.AccessDeniedDetail()["AuthAction"].(string); ok {
		text += " (the RAM policy must allow " + cut(action, cred) + ")"
	}
	if e.RequestId() != "" {
		text += " (request " + cut(e.RequestId(), cred) + ")"
	}
	return text
}

// kindOf finds the kind by code, then by family of codes, then by status. A write that
// got an answer we do not know may have happened; a read did nothing.
func kindOf(e *sdkerrors.ServerError, write bool) error {
	kind, broken := kindOfCode(e.ErrorCode()), e.HttpStatus() >= http.StatusInternalServerError
	if kind == nil || broken && !errors.Is(kind, api.ErrThrottled) {
		kind = api.ErrUnknown
	}
	switch {
	case write || !errors.Is(kind, api.ErrUnknown):
		return kind
	case broken || codes[e.ErrorCode()] != nil:
		return api.ErrUnreachable
	default:
		return api.ErrInvalid
	}
}

// kindOfCode is nil for a code that is not known, nor of a known family.
func kindOfCode(code string) error {
	if kind, ok := codes[code]; ok {
		return kind
	}
	for _, f := range families {
		if strings.HasPrefix(code, f.prefix) && strings.HasSuffix(code, f.suffix) {
			return f.kind
		}
	}
	return nil
}

// families are the codes that are alike. The first that fits counts.
var families = []struct { //nolint:gochecknoglobals // a constant table
	prefix, suffix string
	kind           error
}{
	{"Throttling", "", api.ErrThrottled},
	{"QuotaExceeded", "", api.ErrQuota},
	{"AuthorizationLimitExceed", "", api.ErrQuota}, // of rules in a security group
	{"InvalidSecurityToken", "", api.ErrDenied},
	{"InvalidAccessKeyId", "", api.ErrDenied},
	{"InvalidTimeStamp", "", api.ErrDenied},
	{"Forbidden", "NotFound", api.ErrNotFound},
	{"Forbidden", "", api.ErrDenied},
	{"IncorrectStatus", "", api.ErrBusy},
	{"Invalid", "NotFound", api.ErrNotFound},
	{"Invalid", "Duplicate", api.ErrRefused},
	{"IllegalParam", "", api.ErrInvalid},
	{"MissingParam", "", api.ErrInvalid},
	{"ParamExclusive", "", api.ErrInvalid},
	{"OperationDenied", "", api.ErrInvalid},
	{"OperationUnsupported", "", api.ErrInvalid},
	{"Invalid", "", api.ErrInvalid},
}

// codes are the cloud's own, in its spelling, of the gateway, of VPC and of ECS (error
// pages of the actions; codes that Terraform's provider and the cloud's own controller
// repeat are busy).
var codes = map[string]error{ //nolint:gochecknoglobals // a constant table
	"Rejected.Throttling": api.ErrThrottled,

	"ServiceUnavailable": api.ErrUnknown,
	"InternalError":      api.ErrUnknown,
	"VPC.ERROR":          api.ErrUnknown,
	"Vpc.Error":          api.ErrUnknown,
	"UnknownError":       api.ErrUnknown,

	"SignatureDoesNotMatch":    api.ErrDenied,
	"IncompleteSignature":      api.ErrDenied,
	"SignatureNonceUsed":       api.ErrUnknown, // a proxy repeated the request: the first one may have worked
	"MissingSecurityToken":     api.ErrDenied,
	"InvalidVersion":           api.ErrInvalid,
	"InvalidAction.NotFound":   api.ErrInvalid,
	"UnsupportedHTTPMethod":    api.ErrInvalid,
	"DryRunOperation":          api.ErrInvalid, // a dry run changes nothing, and we ask for none
	"IllegalParam.NextHopId":   api.ErrNotFound,
	"InvalidInstanId.NotFound": api.ErrNotFound,

	"OperationFailed.InvalidNexthop":                 api.ErrInvalid,
	"OperationFailed.InstanceDismatchCurrentVpc":     api.ErrNotFound,
	"OperationFailed.NotSupportIPV6":                 api.ErrInvalid,
	"OperationFailed.FilterParamUnderWrongRouteType": api.ErrInvalid,
	"OperationFailed.QueryCenEntry":                  api.ErrInvalid,
	"Mismatch.EniIdAndRouteTableId":                  api.ErrInvalid,
	"FORBIDDEN_USE_VPC_AS_INTERNET_GATEWAY":          api.ErrInvalid,
	"IllegalParam.NextTokenExpired":                  api.ErrUnreachable, // the listing must begin anew
	"IllegalParam.NextToken":                         api.ErrUnreachable,

	"InvalidCIDRBlock.Duplicate":                 api.ErrRefused,
	"InvalidRouteEntry.Duplicate":                api.ErrRefused,
	"RouteConflict.AlreadyExist":                 api.ErrRefused,
	"Duplicated.VpcNextHop":                      api.ErrRefused,
	"RouterEntryConflict.Duplicated":             api.ErrRefused,
	"OperationFailed.CidrConflictWithPrefixList": api.ErrRefused,
	"ResourceAlreadyAssociated.PrefixList":       api.ErrRefused,
	"VPC_ROUTE_ENTRY_CIDR_BLOCK_DUPLICATE":       api.ErrRefused,
	"VPC_ROUTE_ENTRY_STATUS_ERROR":               api.ErrBusy,
	"VPC_ROUTER_ENTRY_NOT_EXIST":                 api.ErrNotFound,

	"IdempotentParameterMismatch":               api.ErrInvalid,
	"InvalidIdempotenceParameter.Mismatch":      api.ErrInvalid,
	"LastTokenProcessing":                       api.ErrBusy,
	"OperationFailed.LastTokenProcessing":       api.ErrBusy,
	"OperationFailed.IdempotentTokenProcessing": api.ErrBusy,
	"TaskConflict":                              api.ErrBusy,
	"OperationConflict":                         api.ErrBusy,
	"IncorrectRouteEntryStatus":                 api.ErrBusy,
	"IncorrcetRouteEntryStatus":                 api.ErrBusy, // the API spells it both ways
	"IncorrectRouteTableStatus":                 api.ErrBusy,
	"IncorrectVpcStatus":                        api.ErrBusy,
	"IncorrectVSwitchStatus":                    api.ErrBusy,
	"IncorrectInstanceStatus":                   api.ErrBusy,
	"IncorrectHaVipStatus":                      api.ErrBusy,
	"InvalidVBRStatus":                          api.ErrBusy,
	"InvalidStatus.RouteEntry":                  api.ErrBusy,
	"OperationFailed.DistibuteLock":             api.ErrBusy, // the API's spelling
	"OperationFailed.OperationLocked":           api.ErrBusy,
	"SystemBusy":                                api.ErrBusy,
	"Forbbiden":                                 api.ErrBusy, // the API's spelling; seen while entries change
	"DependencyViolation.RouteEntry":            api.ErrBusy,
}
