package alisim

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// refusal is an error in the API's words.
type refusal struct {
	status     int
	code       string
	message    string
	denied     string        // the action that permission is missing for
	retryAfter time.Duration // told in x-acs-retry-after
}

func (r *refusal) Error() string { return r.code + ": " + r.message }

// refuse is the refusal of a code, with the status and message of the table below.
func refuse(code string) *refusal {
	known, ok := refusals[code]
	if !ok {
		known = refusals[family(code)]
	}
	if known.status == 0 {
		known = refused{http.StatusBadRequest, "The request was refused."}
	}
	return &refusal{status: known.status, code: code, message: known.message}
}

// family finds the row for codes that share one, such as Throttling.User.
func family(code string) string {
	head, _, _ := strings.Cut(code, ".")
	return head
}

func missing(parameter string) *refusal {
	r := refuse("MissingParameter")
	r.message = fmt.Sprintf("The input parameter %q that is mandatory for processing this request is not supplied.", parameter)
	return r
}

func illegal(parameter string) *refusal {
	r := refuse("IllegalParam." + parameter)
	r.message = fmt.Sprintf("The specified parameter %q is not valid.", parameter)
	return r
}

type refused struct {
	status  int
	message string
}

// refusals are the codes with their HTTP status, as documented for each action; message
// texts are our own. A code that is not here is a 400.
var refusals = map[string]refused{
	// The gateway's.
	"Throttling":                                 {400, "Request was denied due to user flow control."},
	"ServiceUnavailable":                         {503, "The request has failed due to a temporary failure of the server."},
	"InternalError":                              {500, "The request processing has failed due to some unknown error."},
	"UnsupportedHTTPMethod":                      {400, "This HTTP method is not supported."},
	"InvalidAction":                              {404, "Specified api is not found, please check your url and method."},
	"InvalidVersion":                             {400, "Specified parameter Version is not valid."},
	"InvalidRegionId":                            {404, "The specified RegionId does not exist."},
	"InvalidParameter":                           {400, "A specified parameter is not valid."},
	"MissingParameter":                           {400, "A mandatory parameter is not supplied."},
	"IncompleteSignature":                        {400, "The request signature does not conform to the standards."},
	"SignatureNonceUsed":                         {400, "Specified signature nonce was used already."},
	"InvalidTimeStamp.Format":                    {400, "Specified time stamp or date value is not well formatted."},
	"InvalidTimeStamp.Expired":                   {400, "Specified time stamp or date value is expired."},
	"InvalidAccessKeyId.NotFound":                {404, "Specified access key is not found."},
	"MissingSecurityToken":                       {400, "SecurityToken is required for this key."},
	"InvalidSecurityToken.Expired":               {400, "Specified SecurityToken is expired."},
	"InvalidSecurityToken.MismatchWithAccessKey": {400, "Specified SecurityToken does not belong to the key."},
	"Forbidden.RAM":                              {403, "User not authorized to operate on the specified resource, or this API does not support RAM."},
	"DryRunOperation":                            {400, "Request validation has been passed with DryRun flag set."},
	"IdempotentParameterMismatch":                {400, "The ClientToken was used before with other parameters."},
	"LastTokenProcessing":                        {400, "The previous request with this ClientToken is still being processed."},

	// Changes of route entries.
	"TaskConflict":                                   {400, "The operation is too frequent, please wait a moment and try again."},
	"IncorrectRouteEntryStatus":                      {400, "Some route entry status blocked this operation."},
	"IncorrectInstanceStatus":                        {400, "The status of the next hop instance blocked this operation."},
	"QuotaExceeded":                                  {400, "Route entry quota exceeded in this route table."},
	"IllegalParam":                                   {400, "A specified parameter is not valid."},
	"InvalidCIDRBlock.Duplicate":                     {400, "Specified CIDR block is already exists."},
	"InvalidCidrBlock":                               {400, "The destination overlaps a vSwitch of the VPC."},
	"InvalidCidrBlock.Malformed":                     {400, "The destination is not a network address."},
	"InvalidDestinationCidrBlock":                    {400, "The destination must not be included in the black list."},
	"OperationFailed.NotSupportIPV6":                 {400, "IPv6 destinations are not supported."},
	"OperationFailed.InstanceDismatchCurrentVpc":     {404, "The next hop is not in this VPC."},
	"InvalidNextHop.NotFound":                        {400, "The specified next hop does not exist."},
	"InvalidRouteEntry.NotFound":                     {400, "The specified route entry does not exist."},
	"InvalidRouteEntryId.NotFound":                   {400, "The specified route entry does not exist."},
	"InvalidRouteEntryName.Malformed":                {400, "The name of the route entry is not valid."},
	"InvalidDescription.Malformed":                   {400, "The description is not valid."},
	"InvalidRouteTableId.NotFound":                   {404, "The specified route table does not exist."},
	"InvalidRouteTable.NotFound":                     {400, "The specified route table does not exist."},
	"OperationDenied":                                {400, "System route entries cannot be changed this way."},
	"OperationDenied.NextHopNotChanged":              {400, "The next hop is what it was."},
	"OperationDenied.RouteTableTypeNotPermitted":     {400, "This type of route table takes no entries."},
	"OperationFailed.FilterParamUnderWrongRouteType": {400, "This filter is for custom entries only."},
	"MissingParam.RouteTableId":                      {400, "RouteTableId is missing."},
	"ResourceAlreadyAssociated.RouteTable":           {400, "The vSwitch uses this route table already."},
	"OperationDenied.AssociateGatewayRouteTable":     {400, "A gateway route table serves no vSwitch."},
	"ResourceNotFound.VSwitch":                       {400, "The specified vSwitch does not exist."},
	"Forbidden.NotInSameVpc":                         {404, "The route table and the vSwitch are not in the same VPC."},

	// VPCs and instances.
	"InvalidVpcId.NotFound":           {404, "The specified VPC does not exist."},
	"InvalidEniId.NotFound":           {404, "The specified network interface does not exist."},
	"InvalidSecurityGroupId.NotFound": {404, "The specified security group does not exist."},
	"DependencyViolation.RouteEntry":  {400, "Specified instance is used by route entry."},
}
