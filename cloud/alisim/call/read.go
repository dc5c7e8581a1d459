package call

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sealane/sealane/cloud/alisim/world"
)

// bodyLimit is the longest body that is read.
const bodyLimit = 1 << 20

// ReadCall takes the parameters from query and form, and action, version and key from
// wherever this client puts them.
func ReadCall(w http.ResponseWriter, r *http.Request) (*Call, error) {
	now := time.Now()
	c := &Call{method: r.Method, Params: map[string]string{}, Now: now, began: now, agent: r.UserAgent(), host: r.Host, secured: r.TLS != nil}
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return c, world.NewRefusal("UnsupportedHTTPMethod")
	}
	r.Body = http.MaxBytesReader(w, r.Body, bodyLimit)
	if err := r.ParseForm(); err != nil {
		return c, world.NewRefusal("InvalidParameter")
	}
	for name := range r.PostForm {
		c.FormItems = c.FormItems || strings.HasPrefix(name, "RouteEntries.")
	}
	c.addParams(r.PostForm)
	c.addParams(r.URL.Query())
	c.Action = cmp.Or(c.Params["Action"], r.Header.Get("x-acs-action"))
	c.Version = cmp.Or(c.Params["Version"], r.Header.Get("x-acs-version"))
	c.key = c.Params["AccessKeyId"]
	if auth, ok := strings.CutPrefix(r.Header.Get("Authorization"), "ACS3-HMAC-SHA256 "); ok {
		c.acs3, c.key, c.token = true, credentialOf(auth), r.Header.Get("x-acs-security-token")
	}
	if format := c.Params["Format"]; format != "" && !strings.EqualFold(format, "JSON") {
		return c, world.IllegalParameter("Format")
	}
	return c, nil
}

func (c *Call) addParams(values url.Values) {
	for name, v := range values {
		c.Params[name] = v[0]
	}
}

// credentialOf reads the key id from "Credential=id,SignedHeaders=...,Signature=...".
func credentialOf(auth string) string {
	for part := range strings.SplitSeq(auth, ",") {
		if id, ok := strings.CutPrefix(strings.TrimSpace(part), "Credential="); ok {
			return id
		}
	}
	return ""
}
