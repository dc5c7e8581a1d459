package call

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/cloud/alisim/world"
)

//nolint:gosec // the vendor's signature version 1.0 is HMAC-SHA1

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

// signText makes the signature of version 1.0.
func signText(secret, text string) string {
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// percentEncode leaves only the unreserved characters of RFC 3986 as they are.
func percentEncode(s string) string {
	return strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(url.QueryEscape(s))
}

// nonces remembers what was signed within the clock window, so that nothing is taken twice.
type nonces struct {
	seen  map[string]time.Time
	swept time.Time
}

func (n *nonces) useNonce(nonce string, now time.Time) error {
	if now.Sub(n.swept) > clockWindow {
		maps.DeleteFunc(n.seen, func(_ string, at time.Time) bool { return now.Sub(at) > 2*clockWindow })
		n.swept = now
	}
	if _, used := n.seen[nonce]; used {
		return world.NewRefusal("SignatureNonceUsed")
	}
	n.seen[nonce] = now
	return nil
}

// Stamp writes a time as the VPC and STS APIs do.
func Stamp(t time.Time) string { return t.UTC().Format(timeFormat) }
