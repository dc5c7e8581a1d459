// Package credential holds what requests are signed with, and renews it: an access key that was
// given, one in a file that may be replaced at any time, or that of the instance's RAM role.
package credential

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth"
	sdkcredentials "github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
)

// Credential is what one request is signed with.
type Credential struct {
	ID, Secret, Token Secret
	Expires           time.Time // zero: not known
}

// Format implements fmt.Formatter: it prints the expiry only, whatever the verb.
func (c Credential) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("credential " + c.until())) }

// LogValue implements slog.LogValuer.
func (c Credential) LogValue() slog.Value { return slog.StringValue("credential " + c.until()) }

func (c Credential) until() string {
	if c.Expires.IsZero() {
		return "without a known end"
	}
	return "until " + c.Expires.Format(time.RFC3339)
}

// signsAs reports whether both sign alike.
func (c Credential) signsAs(d Credential) bool {
	return c.ID == d.ID && c.Secret == d.Secret && c.Token == d.Token
}

// lasts reports whether there is a credential that is not known to have ended.
func (c Credential) lasts() bool {
	return c.ID != "" && (c.Expires.IsZero() || time.Now().Before(c.Expires))
}

// ForSDK is the credential as the vendor's SDK takes it.
func (c Credential) ForSDK() auth.Credential {
	if c.Token == "" {
		return &sdkcredentials.AccessKeyCredential{AccessKeyId: string(c.ID), AccessKeySecret: string(c.Secret)}
	}
	return &sdkcredentials.StsTokenCredential{
		AccessKeyId: string(c.ID), AccessKeySecret: string(c.Secret), AccessKeyStsToken: string(c.Token),
	}
}

// Redact takes this credential and what it signed out of a text, also where it is escaped
// once or twice, as in the string to sign that the cloud sends back. A proxy may quote the
// whole request.
func (c Credential) Redact(text string) string {
	for _, s := range []string{string(c.ID), string(c.Secret), string(c.Token)} {
		if s == "" {
			continue
		}
		once := url.QueryEscape(s)
		for _, form := range []string{url.QueryEscape(once), once, s} {
			text = strings.ReplaceAll(text, form, "***")
		}
	}
	return regexp.MustCompile(signaturePattern).ReplaceAllString(text, "signature ***")
}

// signaturePattern is the parameter Signature with its value, in a query, escaped, or as
// JSON and headers have it.
const signaturePattern = `Signature["']?\s*(?:[=:]|%3D|%253D)\s*["']?[^&\s"'<>,;]*`

// Fixed is a credential that nobody renews.
type Fixed struct{ only *Credential } // a pointer, of which fmt prints no more than the address

// NewFixed returns the source of one access key, with a token if it is a temporary one.
func NewFixed(id, secret, token Secret) Fixed {
	return Fixed{&Credential{ID: id, Secret: secret, Token: token}}
}

// Credential returns it.
func (f Fixed) Credential(context.Context) (Credential, error) { return *f.only, nil }

// Renew reports that there is no other one.
func (f Fixed) Renew(context.Context, Credential) (Credential, bool) { return Credential{}, false }
