package alisim

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the vendor's signature version 1.0 is HMAC-SHA1
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Limits of the gateway.
const (
	clockWindow = 15 * time.Minute // InvalidTimeStamp.Expired beyond it, either way
	timeFormat  = "2006-01-02T15:04:05Z"
	temporary   = "STS." // what ids of temporary keys begin with
)

// stringToSign is what client and server sign: the method, the path "/", and every
// parameter but the signature, sorted and encoded by RFC 3986.
func stringToSign(method string, params map[string]string) string {
	pairs := make([]string, 0, len(params))
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if name != "Signature" {
			pairs = append(pairs, percentEncode(name)+"="+percentEncode(params[name]))
		}
	}
	return method + "&%2F&" + percentEncode(strings.Join(pairs, "&"))
}

// sign makes the signature of version 1.0.
func sign(secret, text string) string {
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// percentEncode leaves only the unreserved characters of RFC 3986 as they are.
func percentEncode(s string) string {
	return strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(url.QueryEscape(s))
}

// authenticate verifies who calls. Without seeded keys everyone may, unless Strict is set; but
// a temporary key is held to what the metadata service gave out.
// A request signed the newer way (ACS3-HMAC-SHA256, a header) is only asked for a key that
// is known.
func (s *Sim) authenticate(c *call, now time.Time) error {
	if len(s.keys) == 0 && !s.opts.Strict && !strings.HasPrefix(c.key, temporary) {
		return nil
	}
	if c.key == "" {
		return missing("AccessKeyId")
	}
	secret, err := s.secret(c, now)
	if err != nil || c.acs3 {
		return err
	}
	return s.verify(c, secret, now)
}

// secret finds the key's secret among the seeded keys and the temporary ones that the
// metadata service gave out.
func (s *Sim) secret(c *call, now time.Time) (string, error) {
	if k, ok := s.keys[c.key]; ok {
		if k.disabled {
			return "", refuse("InvalidAccessKeyId.Inactive")
		}
		return k.secret, nil
	}
	session, ok := s.sessions[c.key]
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

func (s *Sim) verify(c *call, secret string, now time.Time) error {
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
	return s.nonces.use(c.key+" "+c.params["SignatureNonce"], now)
}

// nonces remembers what was signed within the clock window, so that nothing is taken twice.
type nonces struct {
	seen  map[string]time.Time
	swept time.Time
}

func (n *nonces) use(nonce string, now time.Time) error {
	if now.Sub(n.swept) > clockWindow {
		maps.DeleteFunc(n.seen, func(_ string, at time.Time) bool { return now.Sub(at) > 2*clockWindow })
		n.swept = now
	}
	if _, used := n.seen[nonce]; used {
		return refuse("SignatureNonceUsed")
	}
	n.seen[nonce] = now
	return nil
}
