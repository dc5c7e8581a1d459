package credential

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sealane/sealane/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The key of all tests, with a canary in each part: no output may ever show one.
const (
	canaryID     = "canary-id/+="
	canarySecret = "canary-secret/+="
	canaryToken  = "canary-token/+="
)

// leaks reports which canaries an output shows.
func leaks(t *testing.T, output string) {
	t.Helper()
	if strings.Contains(output, "canary") {
		t.Errorf("a key leaks in: %s", output)
	}
}

// secrets is a credentials file; write replaces it as a careful program does.
type secrets struct {
	t    *testing.T
	path string
}

func newSecrets(t *testing.T, text string) secrets {
	t.Helper()
	s := secrets{t, filepath.Join(t.TempDir(), "credentials")}
	s.write(text)
	return s
}

func (s secrets) write(text string) {
	s.t.Helper()
	if err := os.WriteFile(s.path+".new", []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(s.path+".new", s.path); err != nil {
		s.t.Fatal(err)
	}
}

func profile(token string) string {
	return "[default]\ntype = sts\naccess_key_id = " + canaryID + "\naccess_key_secret = " + canarySecret + "\nsecurity_token = " + token + "\n"
}

func TestCredentialsFile(t *testing.T) {
	end := time.Date(2026, 11, 21, 6, 0, 0, 0, time.UTC)
	key := Credential{ID: canaryID, Secret: canarySecret}
	sts := Credential{ID: canaryID, Secret: canarySecret, Token: canaryToken}
	until := sts
	until.Expires = end
	answer := fmt.Sprintf(`{"AccessKeyId":%q,"AccessKeySecret":%q,"SecurityToken":%q,"Expiration":"2026-11-21T06:00:00Z"}`, canaryID, canarySecret, canaryToken)
	for name, test := range map[string]struct {
		text string
		want Credential
	}{
		"profile":               {profile(canaryToken), sts},
		"no section, no spaces": {"access_key_id=" + canaryID + "\naccess_key_secret=" + canarySecret, key},
		"Windows line ends":     {strings.ReplaceAll(profile(canaryToken), "\n", "\r\n"), sts},
		"other profiles":        {"[a]\naccess_key_id = x\nrole_arn = y\n[default]\n# key\n; old\nenable = true\n" + profile("")[len("[default]\ntype = sts\n"):] + "[b]\naccess_key_id = z\n", key},
		"answer":                {answer, until},
		"whole answer":          {`{"RequestId":"r","AssumedRoleUser":{"Arn":"a"},"Credentials":` + answer + `}`, until},
		"metadata":              {strings.TrimSuffix(answer, "}") + `,"Code":"Success","LastUpdated":"2026-11-21T00:00:00Z"}` + "\n", until},
	} {
		got, err := readCredentials(newSecrets(t, test.text).path)
		if err != nil || !got.signsAs(test.want) || !got.Expires.Equal(test.want.Expires) {
			t.Errorf("%s: got another credential, %s, %v", name, got, err)
		}
	}
}

func TestCredentialsFileRefused(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"empty":            {"", "missing"},
		"no secret":        {"access_key_id = " + canaryID, "missing"},
		"another profile":  {strings.Replace(profile(canaryToken), "default", "other", 1), "missing"},
		"misspelt":         {profile(canaryToken) + "securitytoken = " + canaryToken, "line 6 is none of access_key_id, "},
		"no name":          {canarySecret, "line 1"},
		"another type":     {strings.Replace(profile(canaryToken), "sts", "ram_role_arn", 1), "type is neither"},
		"not JSON":         {`{"AccessKeyId":"` + canaryID + `","AccessKeySecret":"` + canarySecret + `",`, "not the JSON"},
		"number for a key": {`{"AccessKeyId":1}`, "not the JSON"},
		"bad time":         {`{"AccessKeyId":"` + canaryID + `","AccessKeySecret":"` + canarySecret + `","Expiration":"` + canaryToken + `"}`, "not the JSON"},
		"no key in it":     {`{}`, "missing"},
		"too long":         {strings.Repeat("#", maxCredentials+1), "64 KiB"},
	} {
		_, err := readCredentials(newSecrets(t, test.text).path)
		if !errors.Is(err, api.ErrInvalid) || !strings.Contains(fmt.Sprint(err), test.want) || !strings.Contains(fmt.Sprint(err), "credentials file /") {
			t.Errorf("%s: got %v, want ErrInvalid with %q", name, err, test.want)
		}
		leaks(t, fmt.Sprint(err))
	}
}

func TestCredentialsFileMustBePrivate(t *testing.T) {
	s := newSecrets(t, profile(canaryToken))
	for mode, ok := range map[os.FileMode]bool{0o400: true, 0o600: true, 0o640: true, 0o660: true, 0o644: false, 0o604: false, 0o602: false} {
		if err := os.Chmod(s.path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := readCredentials(s.path)
		if ok && err != nil {
			t.Errorf("%04o: %v", mode, err)
		}
		if !ok && (!errors.Is(err, api.ErrInvalid) || !strings.Contains(err.Error(), fmt.Sprintf("mode %04o", mode)) || !strings.Contains(err.Error(), "chmod o= "+s.path)) {
			t.Errorf("%04o: got %v, want ErrInvalid, the mode and what to do", mode, err)
		}
	}
}

func TestCredentialsFileOfAnotherKind(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{dir: api.ErrInvalid, pipe: api.ErrInvalid, filepath.Join(dir, "none"): api.ErrNotFound} {
		if _, err := readCredentials(path); !errors.Is(err, want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want %v", path, err, want)
		}
	}
}
