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
