package alisim

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// bodyLimit is the longest body that is read.
const bodyLimit = 1 << 20

// readCall takes the parameters from query and form, and action, version and key from
// wherever this client puts them.
func readCall(w http.ResponseWriter, r *http.Request) (*call, error) {
	now := time.Now()
	c := &call{method: r.Method, params: map[string]string{}, now: now, began: now, agent: r.UserAgent(), host: r.Host, secured: r.TLS != nil}
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return c, refuse("UnsupportedHTTPMethod")
	}
	r.Body = http.MaxBytesReader(w, r.Body, bodyLimit)
	if err := r.ParseForm(); err != nil {
		return c, refuse("InvalidParameter")
	}
	for name := range r.PostForm {
		c.formItems = c.formItems || strings.HasPrefix(name, "RouteEntries.")
	}
	c.take(r.PostForm)
	c.take(r.URL.Query())
	c.action = first(c.params["Action"], r.Header.Get("x-acs-action"))
	c.version = first(c.params["Version"], r.Header.Get("x-acs-version"))
	c.key = c.params["AccessKeyId"]
	if auth, ok := strings.CutPrefix(r.Header.Get("Authorization"), "ACS3-HMAC-SHA256 "); ok {
		c.acs3, c.key, c.token = true, credential(auth), r.Header.Get("x-acs-security-token")
	}
	if format := c.params["Format"]; format != "" && !strings.EqualFold(format, "JSON") {
		return c, illegal("Format")
	}
	return c, nil
}

func (c *call) take(values url.Values) {
	for name, v := range values {
		c.params[name] = v[0]
	}
}

// credential reads the key id from "Credential=id,SignedHeaders=...,Signature=...".
func credential(auth string) string {
	for part := range strings.SplitSeq(auth, ",") {
		if id, ok := strings.CutPrefix(strings.TrimSpace(part), "Credential="); ok {
			return id
		}
	}
	return ""
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
