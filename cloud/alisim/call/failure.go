package call

import (
	"cmp"
	"net/url"
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
	p := product(c.Version)
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
