package ram

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sealane/sealane/api"
)

// parseAction checks a pattern such as vpc:Describe* and returns it in lower case.
func parseAction(text string) (string, error) {
	service, action, ok := strings.Cut(text, ":")
	switch {
	case text == "*":
	case !ok || service == "" || action == "" || strings.Contains(action, ":"):
		return "", fmt.Errorf("%q is not of the form service:Action: %w", text, api.ErrInvalid)
	case strings.ContainsFunc(service+action, func(r rune) bool { return !isWord(r) && r != '*' }):
		return "", fmt.Errorf("%q: only letters, digits, - and the wildcard * may stand here: %w", text, api.ErrInvalid)
	}
	return strings.ToLower(text), nil
}

func isWord(r rune) bool {
	return r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// namesAction reports whether the statement is about an action.
func (s statement) namesAction(action string) bool {
	service, name, _ := strings.Cut(strings.ToLower(action), ":")
	listed := slices.ContainsFunc(s.actions, func(pattern string) bool {
		wantService, wantName, whole := strings.Cut(pattern, ":")
		return !whole || matchGlob(wantService, service, "*") && matchGlob(wantName, name, "*")
	})
	return listed != s.except
}

// resource is a pattern acs:service:region:account:relative-id in its five parts, or every
// resource, if it has none.
type resource []string

const arnParts = 5

func parseResource(text string) (resource, error) {
	if text == "*" {
		return nil, nil
	}
	parts := strings.SplitN(text, ":", arnParts)
	switch {
	case len(parts) != arnParts || parts[0] != "acs" || parts[1] == "" || parts[4] == "":
		return nil, fmt.Errorf("%q is neither * nor of the form acs:service:region:account:relative-id: %w", text, api.ErrInvalid)
	case strings.ContainsAny(text, "?{}"):
		return nil, fmt.Errorf("%q: * is the only wildcard, and placeholders must be filled in: %w", text, api.ErrInvalid)
	}
	return parts, nil
}

// matches compares part by part, so that a wildcard never reaches into the next part. The
// resource of a request may itself be a *, of an action that lists: only a wildcard
// covers it.
func (r resource) matches(arn string) bool {
	if r == nil {
		return true
	}
	parts := strings.SplitN(arn, ":", arnParts)
	if len(parts) != arnParts {
		return false
	}
	for i, pattern := range r {
		if !matchGlob(pattern, parts[i], "*") {
			return false
		}
	}
	return true
}

// matchGlob reports whether text fits a pattern. Of the wildcards * (any characters) and ? (one
// byte) those count that are named. It goes back to the last * only, so it takes at most
// len(pattern)*len(text) steps.
func matchGlob(pattern, text, wildcards string) bool {
	one := strings.Contains(wildcards, "?")
	star, resume, p := -1, 0, 0
	for t := 0; t < len(text); {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, t
			p++
		case p < len(pattern) && (pattern[p] == text[t] || one && pattern[p] == '?'):
			p++
			t++
		case star >= 0:
			resume++
			p, t = star+1, resume
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
