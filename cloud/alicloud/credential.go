package alicloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth"
	sdkcredentials "github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/metadata"
)

// credential is what one request is signed with.
type credential struct {
	id, secret, token Secret
	expires           time.Time // zero: not known
}

// Format prints the expiry only, whatever the verb: the fields are not exported, so fmt
// would print them past their own String.
func (c credential) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("credential " + c.until())) }

// LogValue does as Format does.
func (c credential) LogValue() slog.Value { return slog.StringValue("credential " + c.until()) }

func (c credential) until() string {
	if c.expires.IsZero() {
		return "without a known end"
	}
	return "until " + c.expires.Format(time.RFC3339)
}

// same reports whether both sign alike.
func (c credential) same(d credential) bool {
	return c.id == d.id && c.secret == d.secret && c.token == d.token
}

// lasts reports whether there is a credential that is not known to have ended.
func (c credential) lasts() bool {
	return c.id != "" && (c.expires.IsZero() || time.Now().Before(c.expires))
}

func (c credential) forSDK() auth.Credential {
	if c.token == "" {
		return &sdkcredentials.AccessKeyCredential{AccessKeyId: string(c.id), AccessKeySecret: string(c.secret)}
	}
	return &sdkcredentials.StsTokenCredential{
		AccessKeyId: string(c.id), AccessKeySecret: string(c.secret), AccessKeyStsToken: string(c.token),
	}
}

// redact takes this credential and what it signed out of a text, also where it is escaped
// once or twice, as in the string to sign that the cloud sends back. A proxy may quote the
// whole request.
func (c credential) redact(text string) string {
	for _, s := range []string{string(c.id), string(c.secret), string(c.token)} {
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

// plainCode is a code of the cloud, if it looks like one: anything else may quote the
// request.
func plainCode(code string) string {
	if !regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,79}$`).MatchString(code) {
		return "a code that is none"
	}
	return code
}

// source gives the credential of the next request.
type source interface {
	credential(context.Context) (credential, error)

	// renew is told that the cloud did not take a credential any more, and looks once for
	// another. ok is false if there is none.
	renew(context.Context, credential) (fresh credential, ok bool)
}

// source is where the credentials come from. What it needs of this machine it tries at
// once, so that a file with a mistake is found at start.
func (c Config) source() (source, error) {
	log := cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	switch {
	case c.CredentialsFile != "":
		now, err := readCredentials(c.CredentialsFile)
		if err != nil {
			return nil, err
		}
		k := newKeeper("file "+c.CredentialsFile, log, func(context.Context) (credential, error) {
			return readCredentials(c.CredentialsFile)
		})
		// To read a small file for each request is simpler than to notice every way in
		// which it can be replaced.
		k.always, k.last = true, &now
		return k, nil
	case c.RoleName != "":
		client := metadata.Client{URL: c.MetadataURL}
		return newKeeper("role "+c.RoleName, log, func(ctx context.Context) (credential, error) {
			got, err := client.RoleCredentials(ctx, c.RoleName)
			return credential{Secret(got.KeyID), Secret(got.Secret), Secret(got.Token), got.Expires}, err
		}), nil
	}
	return fixed{&credential{id: c.AccessKeyID, secret: c.AccessKeySecret, token: c.SecurityToken}}, nil
}

func (c Config) validateCredentials() error {
	if slices.Contains(strings.Split(os.Getenv("DEBUG"), ","), "sdk") {
		return fmt.Errorf("environment: DEBUG=sdk makes the vendor's SDK print each request with its signature; unset it: %w", api.ErrInvalid)
	}
	given := 0
	for _, s := range []string{string(c.AccessKeyID) + string(c.AccessKeySecret) + string(c.SecurityToken), c.CredentialsFile, c.RoleName} {
		if s != "" {
			given++
		}
	}
	switch {
	case given != 1:
		return fmt.Errorf("credentials: give one of an access key, a file, and the role of this instance: %w", api.ErrInvalid)
	case c.CredentialsFile == "" && c.RoleName == "" && (c.AccessKeyID == "" || c.AccessKeySecret == ""):
		return fmt.Errorf("credentials: an access key is an id and a secret: %w", api.ErrInvalid)
	}
	return nil
}

// fixed is a credential that nobody renews. It is kept behind a pointer, of which fmt
// prints no more than the address.
type fixed struct{ only *credential }

func (f fixed) credential(context.Context) (credential, error) { return *f.only, nil }

func (f fixed) renew(context.Context, credential) (credential, bool) { return credential{}, false }

// stale reports whether the cloud refused a credential that may have been replaced since.
func stale(err error) bool {
	answer, ok := errors.AsType[*sdkerrors.ServerError](err)
	return ok && (strings.HasPrefix(answer.ErrorCode(), "InvalidSecurityToken.") || answer.ErrorCode() == "MissingSecurityToken")
}
