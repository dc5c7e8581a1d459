package call

import (
	"cmp"
	"fmt"
	"hash/fnv"

	"github.com/sealane/sealane/cloud/alisim/world"
)

type callerIdentity struct {
	Body
	AccountID    string `json:"AccountId"`
	UserID       string `json:"UserId,omitempty"` // of users and the account
	RoleID       string `json:"RoleId,omitempty"` // of roles
	Arn          string `json:"Arn"`
	IdentityType string `json:"IdentityType"`
	PrincipalID  string `json:"PrincipalId"`
}

// userID is a RAM user's number, roleID a role's, made from the name.
func userID(name string) string { return fmt.Sprintf("2%017d", nameHash(name)) }

func roleID(name string) string { return fmt.Sprintf("3%017d", nameHash(name)) }

func nameHash(name string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // a hash takes every write
	return h.Sum32()
}

// CallerIdentity is the STS action GetCallerIdentity.
func (k *Keys) CallerIdentity(w *world.World, c *Call) (Reply, error) {
	account := w.Account
	if session, ok := k.sessions[c.key]; ok {
		return &callerIdentity{
			AccountID: account, Arn: "acs:ram::" + account + ":assumed-role/" + session.role + "/" + session.instance,
			IdentityType: "AssumedRoleUser", RoleID: roleID(session.role), PrincipalID: roleID(session.role) + ":" + session.instance,
		}, nil
	}
	if user := k.keys[c.key].user; user != "" {
		return &callerIdentity{
			AccountID: account, UserID: userID(user), Arn: "acs:ram::" + account + ":user/" + user, IdentityType: "RAMUser", PrincipalID: userID(user),
		}, nil
	}
	return &callerIdentity{
		AccountID: account, UserID: account, Arn: "acs:ram::" + account + ":root", IdentityType: "Account", PrincipalID: account,
	}, nil
}

// DescribeEndpoints is the location service's only action: everything is here.
func DescribeEndpoints(w *world.World, c *Call) (Reply, error) {
	out, scheme := &endpoints{Success: true}, "HTTP"
	if c.secured {
		scheme = "HTTPS"
	}
	out.Endpoints.Endpoint = []endpoint{{
		Protocols: protocols{[]string{scheme}}, Type: cmp.Or(c.Param("Type"), "openAPI"), ID: cmp.Or(c.Param("Id"), w.Region),
		ServiceCode: c.Param("ServiceCode"), Endpoint: c.host,
	}}
	return out, nil
}

type endpoints struct {
	Body
	Success   bool `json:"Success"`
	Endpoints struct {
		Endpoint []endpoint `json:"Endpoint"`
	} `json:"Endpoints"`
}

type endpoint struct {
	Protocols   protocols `json:"Protocols"`
	Type        string    `json:"Type"`
	Namespace   string    `json:"Namespace"`
	ID          string    `json:"Id"`
	ServiceCode string    `json:"SerivceCode"` // the API's spelling
	Endpoint    string    `json:"Endpoint"`
}

type protocols struct {
	Protocols []string `json:"Protocols"`
}
