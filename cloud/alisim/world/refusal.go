package world

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Refusal is an error in the API's words.
type Refusal struct {
	Status     int
	Code       string
	Message    string
	Denied     string        // the action that permission is missing for
	Explicit   bool          // a policy denies it by name
	RetryAfter time.Duration // told in x-acs-retry-after
}

func (r *Refusal) Error() string { return r.Code + ": " + r.Message }

// NewRefusal is the refusal of a code, with the status and message of the table below.
func NewRefusal(code string) *Refusal {
	for _, table := range [...]map[string]row{gatewayRefusals(), vpcRefusals(), ecsRefusals()} {
		for _, row := range [...]string{code, codeFamily(code)} {
			if known, ok := table[row]; ok {
				return &Refusal{Status: known.status, Code: code, Message: known.message}
			}
		}
	}
	return &Refusal{Status: 400, Code: code, Message: "The request was refused."}
}

// HasCode reports whether an error is the refusal of a code.
func HasCode(err error, code string) bool {
	r, ok := errors.AsType[*Refusal](err)
	return ok && r.Code == code
}

// codeFamily finds the row for codes that share one, such as Throttling.User.
func codeFamily(code string) string {
	head, _, _ := strings.Cut(code, ".")
	return head
}

// MissingParameter is the refusal of a request that lacks a parameter.
func MissingParameter(parameter string) *Refusal {
	r := NewRefusal("MissingParameter")
	r.Message = fmt.Sprintf("The input parameter %q that is mandatory for processing this request is not supplied.", parameter)
	return r
}

// IllegalParameter is the refusal of a parameter that has a wrong value.
func IllegalParameter(parameter string) *Refusal {
	r := NewRefusal("IllegalParam." + parameter)
	r.Message = fmt.Sprintf("The specified parameter %q is not valid.", parameter)
	return r
}

type row struct {
	status  int
	message string
}

// gatewayRefusals are the codes of every product with their HTTP status, as documented;
// message texts are our own. A code that is in no table is a 400.
func gatewayRefusals() map[string]row {
	return map[string]row{
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
