package alisim

import (
	"crypto/hmac"
	"crypto/rand"
	"strings"
	"time"

	"github.com/sealane/sealane/cloud/alisim/ram"
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
	live     *Live // guards all below; who calls a method holds it, but for SetPolicy
	keys     map[string]accessKey
	roles    map[string]*ram.Policy // nil permits everything
	sessions map[string]Session     // temporary keys by id
	nonces   nonces
}

// NewKeys are the keys of a seed that was completed and found valid.
func NewKeys(from Seed, live *Live) *Keys {
	k := &Keys{
		live: live, keys: map[string]accessKey{}, roles: map[string]*ram.Policy{}, sessions: map[string]Session{},
		nonces: nonces{seen: map[string]time.Time{}},
	}
	for _, key := range from.Keys {
		p, _ := key.Policy.parse() // checked with the seed
		k.keys[key.ID] = accessKey{key.Secret, key.User, p, key.Disabled}
	}
	for _, r := range from.Roles {
		k.roles[r.Name], _ = r.Policy.parse()
	}
	return k
}

// Session is a temporary key that an instance got by its role.
type Session struct {
	id, secret, token string
	role, instance    string
	issued, expires   time.Time
}

// SessionFor is the temporary key of an instance's role: the same one until half of its time
// is over, or the time was made shorter than what is left of it.
func (k *Keys) SessionFor(instance, role string, life time.Duration) Session {
	now := time.Now()
	current := Session{}
	for id, s := range k.sessions {
		left := s.expires.Sub(now)
		switch {
		case now.Sub(s.expires) > clockWindow:
			delete(k.sessions, id) // long expired; until then the API tells so
		case s.instance == instance && s.role == role && left > life/2 && left <= life:
			current = s
		}
	}
	if current.id == "" {
		current = Session{
			id: temporary + rand.Text(), secret: rand.Text(), token: rand.Text(),
			role: role, instance: instance, issued: now, expires: now.Add(life),
		}
		k.sessions[current.id] = current
	}
	return current
}

// Authenticate verifies who calls. Without seeded keys everyone may, unless strict is set; but
// a temporary key is held to what the metadata service gave out.
// A request signed the newer way (ACS3-HMAC-SHA256, a header) is only asked for a key that
// is known.
func (k *Keys) Authenticate(c *call, strict bool, now time.Time) error {
	if len(k.keys) == 0 && !strict && !strings.HasPrefix(c.key, temporary) {
		return nil
	}
	if c.key == "" {
		return missing("AccessKeyId")
	}
	secret, err := k.secretOf(c, now)
	if err != nil || c.acs3 {
		return err
	}
	return k.verify(c, secret, now)
}

// secretOf finds the key's secret among the seeded keys and the temporary ones that the
// metadata service gave out.
func (k *Keys) secretOf(c *call, now time.Time) (string, error) {
	if known, ok := k.keys[c.key]; ok {
		if known.disabled {
			return "", refuse("InvalidAccessKeyId.Inactive")
		}
		return known.secret, nil
	}
	session, ok := k.sessions[c.key]
	switch token := first(c.params["SecurityToken"], c.token); {
	case !ok:
		return "", refuse("InvalidAccessKeyId.NotFound")
	case token == "":
		return "", refuse("MissingSecurityToken")
	case token != session.token:
		return "", refuse("InvalidSecurityToken.MismatchWithAccessKey")
	case !now.Before(session.expires):
		return "", refuse("InvalidSecurityToken.Expired")
	}
	return session.secret, nil
}

func (k *Keys) verify(c *call, secret string, now time.Time) error {
	for _, name := range [...]string{"Signature", "SignatureNonce", "Timestamp", "SignatureMethod", "SignatureVersion"} {
		if c.params[name] == "" {
			return missing(name)
		}
	}
	if !strings.EqualFold(c.params["SignatureMethod"], "HMAC-SHA1") || c.params["SignatureVersion"] != "1.0" {
		return refuse("IncompleteSignature")
	}
	at, err := time.Parse(timeFormat, c.params["Timestamp"])
	if err != nil {
		return refuse("InvalidTimeStamp.Format")
	}
	if now.Sub(at).Abs() > clockWindow {
		return refuse("InvalidTimeStamp.Expired")
	}
	text := stringToSign(c.method, c.params)
	if !hmac.Equal([]byte(sign(secret, text)), []byte(c.params["Signature"])) {
		r := refuse("SignatureDoesNotMatch")
		r.message = "Specified signature is not matched with our calculation. server string to sign is:" + text
		return r
	}
	return k.nonces.use(c.key+" "+c.params["SignatureNonce"], now)
}
