package call

import (
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
func userID(name string) string { return fmt.Sprintf("2%017d", hashed(name)) }

func roleID(name string) string { return fmt.Sprintf("3%017d", hashed(name)) }

func hashed(name string) uint32 {
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
