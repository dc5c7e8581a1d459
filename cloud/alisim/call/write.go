package call

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/sealane/sealane/cloud/alisim/world"
)

// failure is the body of an error.
type failure struct {
	RequestID    string  `json:"RequestId"`
	HostID       string  `json:"HostId"`
	Code         string  `json:"Code"`
	Message      string  `json:"Message"`
	Recommend    string  `json:"Recommend"`
	AccessDenied *denied `json:"AccessDeniedDetail,omitempty"`
}

type denied struct {
	PolicyType               string `json:"PolicyType"`
	AuthPrincipalOwnerID     string `json:"AuthPrincipalOwnerId"`
	EncodedDiagnosticMessage string `json:"EncodedDiagnosticMessage"`
	AuthPrincipalType        string `json:"AuthPrincipalType"`
	AuthPrincipalDisplayName string `json:"AuthPrincipalDisplayName"`
	NoPermissionType         string `json:"NoPermissionType"`
	AuthAction               string `json:"AuthAction"`
}

func (w Wire) failure(c *Call, id string, r *world.Refusal) failure {
	p := productName(c.Version)
	f := failure{
		RequestID: id, Code: r.Code, Message: r.Message,
		HostID:    strings.ToLower(p) + "." + w.Region + ".aliyuncs.com",
		Recommend: "https://api.aliyun.com/troubleshoot?q=" + url.QueryEscape(r.Code) + "&product=" + p + "&requestId=" + id,
	}
	if r.Denied != "" {
		f.AccessDenied = &denied{
			PolicyType: "AccountLevelIdentityBasedPolicy", AuthPrincipalOwnerID: w.Account,
			EncodedDiagnosticMessage: "SIMULATED", AuthPrincipalType: cmp.Or(c.who.kind, "SubUser"),
			AuthPrincipalDisplayName: cmp.Or(c.who.name, c.key), NoPermissionType: "ImplicitDeny",
			AuthAction: strings.ToLower(p) + ":" + r.Denied,
		}
		if r.Explicit {
			f.AccessDenied.NoPermissionType = "ExplicitDeny"
		}
	}
	return f
}

// Wire writes answers in the name of a region and an account.
type Wire struct{ Region, Account string }

// Write sends an answer to a call, under the id of the request.
func (w Wire) Write(to http.ResponseWriter, c *Call, id string, a Answer) {
	switch {
	case a.reset:
		breakOff(to)
	case a.Drop:
		panic(http.ErrAbortHandler) // net/http's way to close a connection
	case a.HTML:
		to.Header().Set("Content-Type", "text/html")
		to.WriteHeader(a.Status)
		_, _ = fmt.Fprintf(to, "<html><head><title>%d %s</title></head><body>Powered by Tengine</body></html>\n", a.Status, http.StatusText(a.Status))
	case a.bad != nil:
		if after := a.bad.RetryAfter; after > 0 {
			to.Header().Set("x-acs-retry-after", strconv.FormatInt(after.Milliseconds(), 10))
		}
		WriteJSON(to, a.Status, w.failure(c, id, a.bad))
	default:
		a.Reply.setRequestID(id)
		WriteJSON(to, a.Status, a.Reply)
	}
}

// breakOff closes the connection in such a way that the caller's system says ECONNRESET.
func breakOff(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // the next best, where there is no connection to be had
	}
	if secured, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secured.NetConn()
	}
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetLinger(0) // without it the close is a polite one
	}
	_ = conn.Close() // the caller may be gone
}

// WriteJSON sends a body with a status.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(body) // the caller may be gone; nobody is left to tell
}
