package fault

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// shortest is the least time between two acts of a foreign writer.
const shortest = time.Millisecond

// Mistake says what is wrong with a fault, or "".
func (f Fault) Mistake() string {
	for _, e := range f.Edits {
		if bad := e.Mistake(); bad != "" {
			return bad
		}
	}
	switch {
	case f.Skip < 0 || f.Delay < 0 || f.RetryAfter < 0 || f.Every < 0 || f.Fail < 0:
		return "a number is negative"
	case !slices.Contains([]Corruption{"", Short, Duplicated, Permuted}, f.Failures):
		return fmt.Sprintf("failures %q is none of short, duplicated, permuted", f.Failures)
	case f.Every > 0 && len(f.Edits) == 0:
		return "every is for edits only"
	case f.Every > 0 && f.Every < shortest:
		return fmt.Sprintf("every %s is less than %s", f.Every, shortest)
	}
	return cmp.Or(f.statusMistake(), f.contradiction())
}

// statusMistake says what is wrong with the HTTP status.
func (f Fault) statusMistake() string {
	switch {
	case f.Status == 0:
		return ""
	case f.Code == "" && !f.HTML:
		return "status is for code and html"
	case f.Status < 200 || f.Status > 599:
		return fmt.Sprintf("%d is no HTTP status", f.Status)
	case f.Code != "" && f.Status < 400:
		return fmt.Sprintf("%d is no status of an error", f.Status)
	case f.Status == http.StatusNoContent || f.Status == http.StatusNotModified:
		return fmt.Sprintf("an answer %d has no page", f.Status)
	}
	return ""
}

// contradiction names what a fault asks for and would not do, or is "".
func (f Fault) contradiction() string {
	answers := 0
	for _, other := range [...]bool{f.Code != "", f.HTML, f.Reset, f.Drop} {
		if other {
			answers++
		}
	}
	switch {
	case answers > 1:
		return "code, html, reset and drop exclude one another"
	case f.Nothing && answers > 0:
		return "nothing answers well: it excludes code, html, reset and drop"
	case f.RetryAfter > 0 && f.Code == "":
		return "retryAfter is for code only"
	case f.FailCode != "" && f.Fail == 0:
		return "failCode is for fail only"
	case f.After && answers == 0 && f.Fail == 0:
		return "after is for code, html, reset, drop and fail"
	case answers > 0 && !f.After && (f.Stick || f.Vanish || f.Fail > 0):
		return "the call never gets to its work"
	}
	return ""
}
