package call

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"strings"
	"time"

	"github.com/sealane/sealane/cloud/alisim/ram"
	"github.com/sealane/sealane/cloud/alisim/world"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// accessKey is what the simulator knows of a key.
type accessKey struct {
	secret, user string
	policy       *ram.Policy // nil permits everything
	disabled     bool
}

// Keys are all who may call: access keys, the roles of instances, and the temporary keys that
// those got.
type Keys struct {
	live     *world.Live // guards all below; who calls a method holds it, but for SetPolicy
	keys     map[string]accessKey
	roles    map[string]*ram.Policy // nil permits everything
	sessions map[string]Session     // temporary keys by id
	nonces   nonces
}

// NewKeys are the keys of a seed that was completed and found valid.
func NewKeys(from seed.Seed, live *world.Live) *Keys {
	k := &Keys{
		live: live, keys: map[string]accessKey{}, roles: map[string]*ram.Policy{}, sessions: map[string]Session{},
		nonces: nonces{seen: map[string]time.Time{}},
	}
	for _, key := range from.Keys {
		p, _ := key.Policy.Permissions() // checked with the seed
		k.keys[key.ID] = accessKey{key.Secret, key.User, p, key.Disabled}
	}
	for _, r := range from.Roles {
		k.roles[r.Name], _ = r.Policy.Permissions()
	}
	return k
}

// Session is a temporary key that an instance got by its role.
type Session struct {
	ID, Secret, Token string
	role, instance    string
	Issued, Expires   time.Time
}

// SessionFor is the temporary key of an instance's role: the same one until half of its time
// is over, or the time was made shorter than what is left of it.
func (k *Keys) SessionFor(instance, role string, life time.Duration) Session {
	now := time.Now()
	current := Session{}
	for id, s := range k.sessions {
		left := s.Expires.Sub(now)
		switch {
		case now.Sub(s.Expires) > clockWindow:
			delete(k.sessions, id) // long expired; until then the API tells so
		case s.instance == instance && s.role == role && left > life/2 && left <= life:
			current = s
		}
	}
	if current.ID == "" {
		current = Session{
			ID: temporary + rand.Text(), Secret: rand.Text(), Token: rand.Text(),
			role: role, instance: instance, Issued: now, Expires: now.Add(life),
		}
		k.sessions[current.ID] = current
	}
	return current
}

// Authenticate verifies who calls. Without seeded keys everyone may, unless strict is set; but
// a temporary key is held to what the metadata service gave out.
// A request signed the newer way (ACS3-HMAC-SHA256, a header) is only asked for a key that
// is known.
func (k *Keys) Authenticate(c *Call, strict bool, now time.Time) error {
	if len(k.keys) == 0 && !strict && !strings.HasPrefix(c.key, temporary) {
		return nil
	}
	if c.key == "" {
		return world.MissingParameter("AccessKeyId")
	}
	secret, err := k.secretOf(c, now)
	if err != nil || c.acs3 {
		return err
	}
	return k.verifySignature(c, secret, now)
}

// secretOf finds the key's secret among the seeded keys and the temporary ones that the
// metadata service gave out.
func (k *Keys) secretOf(c *Call, now time.Time) (string, error) {
	if known, ok := k.keys[c.key]; ok {
		if known.disabled {
			return "", world.NewRefusal("InvalidAccessKeyId.Inactive")
		}
		return known.secret, nil
	}
	session, ok := k.sessions[c.key]
	switch token := cmp.Or(c.Params["SecurityToken"], c.token); {
	case !ok:
		return "", world.NewRefusal("InvalidAccessKeyId.NotFound")
	case token == "":
		return "", world.NewRefusal("MissingSecurityToken")
	case token != session.Token:
		return "", world.NewRefusal("InvalidSecurityToken.MismatchWithAccessKey")
	case !now.Before(session.Expires):
		return "", world.NewRefusal("InvalidSecurityToken.Expired")
	}
	return session.Secret, nil
}

func (k *Keys) verifySignature(c *Call, secret string, now time.Time) error {
	for _, name := range [...]string{"Signature", "SignatureNonce", "Timestamp", "SignatureMethod", "SignatureVersion"} {
		if c.Params[name] == "" {
			return world.MissingParameter(name)
		}
	}
	if !strings.EqualFold(c.Params["SignatureMethod"], "HMAC-SHA1") || c.Params["SignatureVersion"] != "1.0" {
		return world.NewRefusal("IncompleteSignature")
	}
	at, err := time.Parse(timeFormat, c.Params["Timestamp"])
	if err != nil {
		return world.NewRefusal("InvalidTimeStamp.Format")
	}
	if now.Sub(at).Abs() > clockWindow {
		return world.NewRefusal("InvalidTimeStamp.Expired")
	}
	text := stringToSign(c.method, c.Params)
	if !hmac.Equal([]byte(signText(secret, text)), []byte(c.Params["Signature"])) {
		r := world.NewRefusal("SignatureDoesNotMatch")
		r.Message = "Specified signature is not matched with our calculation. server string to sign is:" + text
		return r
	}
	return k.nonces.useNonce(c.key+" "+c.Params["SignatureNonce"], now)
}
