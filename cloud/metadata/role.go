package metadata

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/sealane/sealane/api"
)

// Credentials are short-lived keys of an instance role. They print without their secrets.
type Credentials struct {
	KeyID   string
	Secret  string
	Token   string
	Expires time.Time
}

// String tells the expiry only.
func (c Credentials) String() string { return "credentials until " + c.Expires.Format(time.RFC3339) }

// GoString is String.
func (c Credentials) GoString() string { return c.String() }

// LogValue is String.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// RoleCredentials asks for the credentials of the RAM role that is attached to this
// instance. The controller's cloud client calls it before the former ones expire. Errors
// are those of Identity; ErrNotFound means that the instance has no such role.
func (c Client) RoleCredentials(ctx context.Context, role string) (Credentials, error) {
	if !isName(role) {
		return Credentials{}, fmt.Errorf("role name %.80q: %w", role, api.ErrInvalid)
	}
	s, done, err := c.openSession(ctx)
	if err != nil {
		return Credentials{}, err
	}
	defer done()
	text, err := s.readValue(ctx, "ram/security-credentials/"+role)
	if err != nil {
		return Credentials{}, fmt.Errorf("credentials of role %s: %w", role, err)
	}
	var answer struct {
		Code, AccessKeyId, AccessKeySecret, SecurityToken string
		Expiration                                        time.Time
	}
	// The text holds secrets: no error may quote it, not even the decoder's.
	if json.Unmarshal([]byte(text), &answer) != nil || answer.Code != "Success" ||
		answer.AccessKeyId == "" || answer.AccessKeySecret == "" || answer.SecurityToken == "" {
		return Credentials{}, fmt.Errorf("metadata service at %s: no usable credentials of role %s: %w", s.url, role, api.ErrInvalid)
	}
	return Credentials{
		KeyID: answer.AccessKeyId, Secret: answer.AccessKeySecret, Token: answer.SecurityToken, Expires: answer.Expiration,
	}, nil
}
