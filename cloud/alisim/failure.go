package alisim

import (
	"cmp"
	"net/url"
	"strings"
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

func (w Wire) failure(c *call, id string, r *refusal) failure {
	p := product(c.version)
	f := failure{
		RequestID: id, Code: r.code, Message: r.message,
		HostID:    strings.ToLower(p) + "." + w.Region + ".aliyuncs.com",
		Recommend: "https://api.aliyun.com/troubleshoot?q=" + url.QueryEscape(r.code) + "&product=" + p + "&requestId=" + id,
	}
	if r.denied != "" {
		f.AccessDenied = &denied{
			PolicyType: "AccountLevelIdentityBasedPolicy", AuthPrincipalOwnerID: w.Account,
			EncodedDiagnosticMessage: "SIMULATED", AuthPrincipalType: cmp.Or(c.who.kind, "SubUser"),
			AuthPrincipalDisplayName: cmp.Or(c.who.name, c.key), NoPermissionType: "ImplicitDeny",
			AuthAction: strings.ToLower(p) + ":" + r.denied,
		}
		if r.explicit {
			f.AccessDenied.NoPermissionType = "ExplicitDeny"
		}
	}
	return f
}
