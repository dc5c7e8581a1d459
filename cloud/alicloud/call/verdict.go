package call

import (
	"errors"
	"net/http"
	"strings"

	"github.com/sealane/sealane/api"
)

// Class is what the failure of a write says about what was asked.
type Class string

// The classes.
const (
	Unknown   Class = "unknown"   // it may have happened, now or by an earlier request: read back
	Refused   Class = "refused"   // nothing happened; the same may be asked again after a while
	Repeat    Class = "repeat"    // an earlier request with this token still runs: ask again with the same token
	Permanent Class = "permanent" // nothing happened, and asking again does not help
)

// Verdict is what a code means.
type Verdict struct {
	Class   Class
	Kind    error // one of package api
	OfEntry bool  // it is about one entry of a batch, not about the call, the table or the VPC
	OfTable bool  // it is about the table or the VPC, whatever the entry
}

// verdictOf judges an answer by its code, then by the family of its code, then by its
// status. A write whose answer says nothing we know may have happened; a read did nothing.
func verdictOf(code string, status int, write bool) Verdict {
	v, known := verdictOfCode(code)
	if tooLong(code, status) {
		v, known = badCall(), true
	}
	if !known && status == http.StatusTooManyRequests {
		v, known = throttled(), true
	}
	broken := status >= http.StatusInternalServerError || code == "" && status == http.StatusRequestTimeout
	if !known || broken && !errors.Is(v.Kind, api.ErrThrottled) {
		v = ambiguous()
	}
	switch {
	case write || !errors.Is(v.Kind, api.ErrUnknown):
		return v
	case known || broken:
		return Verdict{Class: Refused, Kind: api.ErrUnreachable}
	default:
		return Verdict{Class: Permanent, Kind: api.ErrInvalid}
	}
}

// tooLong reports whether the gateway found the request too long: it says so in HTML.
func tooLong(code string, status int) bool {
	return code == "" && (status == http.StatusRequestURITooLong || status == http.StatusRequestEntityTooLarge)
}

// verdictOfCode judges a code alone, as batches report them for single entries. A code that
// is neither listed nor of a known family is not known.
func verdictOfCode(code string) (v Verdict, known bool) {
	if v, ok := codes[code]; ok {
		return v, true
	}
	for _, f := range families {
		if code != "" && strings.HasPrefix(code, f.prefix) && strings.HasSuffix(code, f.suffix) {
			return f.Verdict, true
		}
	}
	return ambiguous(), false
}

func ambiguous() Verdict { return Verdict{Class: Unknown, Kind: api.ErrUnknown} }
func throttled() Verdict { return Verdict{Class: Refused, Kind: api.ErrThrottled} }
func lapsed() Verdict    { return Verdict{Class: Refused, Kind: api.ErrDenied} } // good again with a new credential or clock
func denied() Verdict    { return Verdict{Class: Permanent, Kind: api.ErrDenied} }
func badEntry() Verdict  { return Verdict{Class: Permanent, Kind: api.ErrInvalid, OfEntry: true} }
func badCall() Verdict   { return Verdict{Class: Permanent, Kind: api.ErrInvalid} } // no entry is to blame
func notFound() Verdict  { return Verdict{Class: Permanent, Kind: api.ErrNotFound, OfEntry: true} }
func overQuota() Verdict { return Verdict{Class: Permanent, Kind: api.ErrQuota, OfEntry: true} }
func busy() Verdict      { return Verdict{Class: Refused, Kind: api.ErrBusy} }
func busyHop() Verdict   { return Verdict{Class: Refused, Kind: api.ErrBusy, OfEntry: true} }
func running() Verdict   { return Verdict{Class: Repeat, Kind: api.ErrBusy, OfEntry: true} }
func gone() Verdict      { return Verdict{Class: Unknown, Kind: api.ErrNotFound, OfEntry: true} } // for a delete this is success

// taken is the answer to a create whose destination is there. It is a question: the entry
// may be ours, of an earlier request.
func taken() Verdict { return Verdict{Class: Unknown, Kind: api.ErrRefused, OfEntry: true} }

// noTable and badTable are about all entries of a table.
func noTable() Verdict  { return Verdict{Class: Permanent, Kind: api.ErrNotFound, OfTable: true} }
func badTable() Verdict { return Verdict{Class: Permanent, Kind: api.ErrInvalid, OfTable: true} }

// ofPrefixList is the answer to a create whose destination a prefix list has, which is never ours
// and not among the entries.
func ofPrefixList() Verdict { return Verdict{Class: Permanent, Kind: api.ErrRefused, OfEntry: true} }
