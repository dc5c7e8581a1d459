package alicloud

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth"
	sdkcredentials "github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"

	"github.com/sealane/sealane/cloud/metadata"
)

// credential is what one request is signed with.
type credential struct {
	id            string
	secret, token Secret
}

func (c credential) forSDK() auth.Credential {
	if c.token == "" {
		return &sdkcredentials.AccessKeyCredential{AccessKeyId: c.id, AccessKeySecret: string(c.secret)}
	}
	return &sdkcredentials.StsTokenCredential{
		AccessKeyId: c.id, AccessKeySecret: string(c.secret), AccessKeyStsToken: string(c.token),
	}
}

// redact takes this credential out of a text, also where it is escaped once or twice, as
// in the string to sign that the cloud sends back.
func (c credential) redact(text string) string {
	for _, s := range []string{c.id, string(c.secret), string(c.token)} {
		if s == "" {
			continue
		}
		once := url.QueryEscape(s)
		for _, form := range []string{url.QueryEscape(once), once, s} {
			text = strings.ReplaceAll(text, form, "***")
		}
	}
	return text
}

// source gives the credential of the next request.
type source func(context.Context) (credential, error)

func fixed(c credential) source {
	return func(context.Context) (credential, error) { return c, nil }
}

// refreshBefore is how long before its end a role's credential is renewed. The service
// hands out new ones about half an hour before.
const refreshBefore = 10 * time.Minute

// role takes credentials of the instance's RAM role from the metadata service. The SDK's
// own way falls back to version 1 of the service and asks through HTTP_PROXY.
type role struct {
	client metadata.Client
	name   string

	mu   sync.Mutex // guards last
	last metadata.Credentials
}

// credential returns the last one while it is fresh, and while no better one can be had
// and it is still good.
func (r *role) credential(ctx context.Context) (credential, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	left := time.Until(r.last.Expires)
	if left < refreshBefore {
		news, err := r.client.RoleCredentials(ctx, r.name)
		switch {
		case err == nil:
			r.last = news
		case left <= 0:
			return credential{}, err
		}
	}
	return credential{r.last.KeyID, Secret(r.last.Secret), Secret(r.last.Token)}, nil
}
