package alicloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alisim"
)

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

// fileRig is a provider that signs with a file, and what it logs. answer sees each request
// before the simulator does and says whether it answered.
func fileRig(t *testing.T, s secrets, answer func(http.ResponseWriter, *http.Request) bool) (*Provider, *strings.Builder) {
	t.Helper()
	sim, err := alisim.New(world(), alisim.Options{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !answer(w, r) {
			sim.API().ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	var log strings.Builder
	c := config(server.URL)
	c.AccessKeyID, c.AccessKeySecret, c.CredentialsFile = "", "", s.path
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, &log
}

// A replaced file is taken up by the next request, a broken one changes nothing.
func TestCredentialsFileIsReplaced(t *testing.T) {
	s := newSecrets(t, profile("t1"))
	var token atomic.Value
	p, log := fileRig(t, s, func(_ http.ResponseWriter, r *http.Request) bool {
		token.Store(r.URL.Query().Get("SecurityToken"))
		return false
	})
	expect := func(want string) {
		t.Helper()
		if _, err := p.Network(t.Context()); err != nil || token.Load() != want {
			t.Errorf("signed with token %v, want %s; %v", token.Load(), want, err)
		}
	}
	expect("t1")
	s.write(profile("t2"))
	expect("t2")
	s.write("broken " + canarySecret)
	expect("t2")
	if err := os.Remove(s.path); err != nil {
		t.Fatal(err)
	}
	expect("t2")
	s.write(profile("t3"))
	expect("t3")
	for message, want := range map[string]int{"credentials renewed": 2, "the former ones stay in use": 1, "\n": 3} {
		if n := strings.Count(log.String(), message); n != want {
			t.Errorf("%q comes %d times, want %d: %s", message, n, want, log)
		}
	}
	leaks(t, log.String())
}

// expired answers as the cloud does for a token that is over.
func expired(w http.ResponseWriter, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{"RequestId": "r", "HostId": "h", "Code": code, "Message": "Specified SecurityToken is expired."})
}

// The file is replaced while a request is on its way: the cloud's answer makes the provider
// look again and repeat the request, a read and a write alike.
func TestExpiredIsFetchedAnewOnce(t *testing.T) {
	for _, code := range []string{"InvalidSecurityToken.Expired", "InvalidSecurityToken.MismatchWithAccessKey", "MissingSecurityToken"} {
		s := newSecrets(t, profile("t1"))
		p, log := fileRig(t, s, func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Query().Get("SecurityToken") != "t1" {
				return false
			}
			// From a profile with a token to one without: the token must not stay.
			s.write(strings.Replace(profile(""), "type = sts", "type = access_key", 1))
			expired(w, code)
			return true
		})
		results, err := p.Apply(t.Context(), []api.Change{creates(0, 1)[0]}, cloud.Always)
		if err != nil || results[0].Err != nil {
			t.Errorf("%s: got %v, %v", code, results, err)
		}
		if !strings.Contains(log.String(), "found the credentials expired, others were fetched") {
			t.Errorf("%s: the log does not say so: %s", code, log)
		}
	}
}

// Without another credential the cloud's answer stands, and no request is repeated.
func TestExpiredWithoutAnother(t *testing.T) {
	var requests atomic.Int32
	p, log := fileRig(t, newSecrets(t, profile("t1")), func(w http.ResponseWriter, _ *http.Request) bool {
		requests.Add(1)
		expired(w, "InvalidSecurityToken.Expired")
		return true
	})
	_, err := p.Routes(t.Context(), "vtb-1")
	if !errors.Is(err, api.ErrDenied) || !strings.Contains(err.Error(), "InvalidSecurityToken.Expired") || requests.Load() != 1 {
		t.Errorf("got %v after %d requests", err, requests.Load())
	}
	if !strings.Contains(log.String(), "there are no others") {
		t.Errorf("the log does not say so: %s", log)
	}
	leaks(t, fmt.Sprint(err)+log.String())
}

// The SDK reads the variable when the program starts, so that it is too late to change it.
func TestNewRefusesTheDebugOutputOfTheSDK(t *testing.T) {
	for value, refused := range map[string]bool{"sdk": true, "a,sdk": true, "": false, "sdks": false} {
		t.Setenv("DEBUG", value)
		if _, err := New(config("")); (err != nil) != refused || refused && !strings.Contains(err.Error(), "DEBUG=sdk") {
			t.Errorf("%q: got %v", value, err)
		}
	}
}

func TestNewReadsTheCredentialsFile(t *testing.T) {
	s := newSecrets(t, profile(canaryToken))
	c := config("")
	c.AccessKeyID, c.AccessKeySecret, c.CredentialsFile = "", "", s.path
	if err := os.Chmod(s.path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := New(c); !errors.Is(err, api.ErrInvalid) || !strings.Contains(err.Error(), "mode 0644") {
		t.Errorf("got %v", err)
	}
}

func TestRoleSignsRequests(t *testing.T) {
	seed := world()
	seed.Instances[0].Role = "sealane"
	sim, err := alisim.New(seed, alisim.Options{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	api, meta := httptest.NewServer(sim.API()), httptest.NewServer(as(seed.Instances[0].IP.String(), sim.Metadata()))
	defer api.Close()
	defer meta.Close()
	c := config(api.URL)
	c.AccessKeyID, c.AccessKeySecret, c.RoleName, c.MetadataURL = "", "", "sealane", meta.URL
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Network(t.Context()); err != nil {
		t.Error(err)
	}
}

// The credentials of a role end again and again while it works: no request fails.
func TestRoleOutlivesItsCredentials(t *testing.T) {
	seed := world()
	seed.Instances[0].Role = "sealane"
	sim, err := alisim.New(seed, alisim.Options{Strict: true, SessionTime: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	api, meta := httptest.NewServer(sim.API()), httptest.NewServer(as(seed.Instances[0].IP.String(), sim.Metadata()))
	defer api.Close()
	defer meta.Close()
	c := config(api.URL)
	c.AccessKeyID, c.AccessKeySecret, c.RoleName, c.MetadataURL = "", "", "sealane", meta.URL
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	keys := map[string]bool{}
	for start := time.Now(); len(keys) < 3; {
		if _, err := p.Network(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, q := range sim.Requests() {
			keys[q.Key] = true
		}
		if time.Since(start) > 30*time.Second {
			t.Fatalf("signed with %d keys in 30 s", len(keys))
		}
		sim.Reset()
	}
}

// as lets every request come from one address.
func as(ip string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = ip + ":40000"
		next.ServeHTTP(w, r)
	})
}
