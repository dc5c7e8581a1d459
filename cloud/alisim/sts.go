package alisim

type callerIdentity struct {
	body
	AccountID    string `json:"AccountId"`
	UserID       string `json:"UserId"`
	Arn          string `json:"Arn"`
	IdentityType string `json:"IdentityType"`
	PrincipalID  string `json:"PrincipalId"`
}

func getCallerIdentity(s *Sim, c *call) (reply, error) {
	account := s.world.account
	if session, ok := s.sessions[c.key]; ok {
		return &callerIdentity{
			AccountID: account, Arn: "acs:ram::" + account + ":assumed-role/" + session.role + "/" + session.instance,
			IdentityType: "AssumedRoleUser", PrincipalID: session.role + ":" + session.instance,
		}, nil
	}
	return &callerIdentity{
		AccountID: account, UserID: account, Arn: "acs:ram::" + account + ":root", IdentityType: "Account", PrincipalID: account,
	}, nil
}
