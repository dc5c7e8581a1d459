package credential

import (
	"errors"
	"strings"
	"testing"

	"github.com/sealane/sealane/api"
)

// Whatever a file holds, it gives a whole key or an error that quotes none of it.
func FuzzCredentialsFile(f *testing.F) {
	f.Add("[default]\ntype = sts\naccess_key_id = i\naccess_key_secret = s\nsecurity_token = t\n")
	f.Add(`{"AccessKeyId":"i","AccessKeySecret":"s","SecurityToken":"t","Expiration":"2026-11-21T06:00:00Z"}`)
	f.Add(`{"Credentials":{"AccessKeyId":"i","AccessKeySecret":1}}`)
	f.Add("access_key_secret")
	known := map[string]bool{}
	for _, text := range []string{"", "{}", "x", "type=x\naccess_key_id=x\naccess_key_secret=x"} {
		_, err := parseCredentials([]byte(text))
		known[message(err)] = true
	}
	_, err := parseCredentials([]byte("{x"))
	known[message(err)] = true
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCredentials([]byte(text))
		switch {
		case err == nil && (c.ID == "" || c.Secret == ""):
			t.Error("half a key")
		case err != nil && (!errors.Is(err, api.ErrInvalid) || c.ID != ""):
			t.Errorf("got %v and a key %t", err, c.ID != "")
		case err != nil && !known[message(err)]:
			t.Errorf("an error that is none of those without a quotation: %v", err)
		}
	})
}

// message is an error without the number of a line.
func message(err error) string {
	if err == nil {
		return ""
	}
	return strings.Trim(strings.TrimLeft(strings.TrimPrefix(err.Error(), "line "), "0123456789"), " ")
}
