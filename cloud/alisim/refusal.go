package alisim

import (
	"errors"
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
	explicit   bool          // a policy denies it by name
	retryAfter time.Duration // told in x-acs-retry-after
}

func (r *refusal) Error() string { return r.code + ": " + r.message }

// refuse is the refusal of a code, with the status and message of the table below.
func refuse(code string) *refusal {
	for _, table := range [...]map[string]refused{gatewayRefusals(), vpcRefusals(), ecsRefusals()} {
		for _, row := range [...]string{code, family(code)} {
			if known, ok := table[row]; ok {
				return &refusal{status: known.status, code: code, message: known.message}
			}
		}
	}
	return &refusal{status: http.StatusBadRequest, code: code, message: "The request was refused."}
}

// isCode reports whether an error is the refusal of a code.
func isCode(err error, code string) bool {
	r, ok := errors.AsType[*refusal](err)
	return ok && r.code == code
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

// gatewayRefusals are the codes of every product with their HTTP status, as documented;
// message texts are our own. A code that is in no table is a 400.
func gatewayRefusals() map[string]refused {
	return map[string]refused{
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
		"InvalidAccessKeyId.Inactive":                {400, "Specified access key is disabled."},
		"InvalidAccessKeyId.NotFound":                {404, "Specified access key is not found."},
		"MissingSecurityToken":                       {400, "SecurityToken is required for this key."},
		"InvalidSecurityToken.Expired":               {400, "Specified SecurityToken is expired."},
		"InvalidSecurityToken.MismatchWithAccessKey": {400, "Specified SecurityToken does not belong to the key."},
		"Forbidden.AccessKeyDisabled":                {403, "Specified access key is disabled."},
		"InvalidIdempotenceParameter.Mismatch":       {403, "The ClientToken was used before with other parameters."},
		"Forbidden.RAM":                              {403, "User not authorized to operate on the specified resource, or this API does not support RAM."},
		"DryRunOperation":                            {400, "Request validation has been passed with DryRun flag set."},
		"IdempotentParameterMismatch":                {400, "The ClientToken was used before with other parameters."},
		"LastTokenProcessing":                        {400, "The previous request with this ClientToken is still being processed."},
	}
}
