package etcd_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry/etcd"
	"github.com/sealane/sealane/api/registry/etcdtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestDialRefuses(t *testing.T) {
	here := []string{"http://127.0.0.1:1"}
	for _, test := range []struct {
		endpoints []string
		options   etcd.Options
		want      error
	}{
		{nil, etcd.Options{}, api.ErrInvalid},
		{here, etcd.Options{CAFile: "/none"}, os.ErrNotExist},
		{here, etcd.Options{CAFile: file(t, "no certificate")}, api.ErrInvalid},
		{here, etcd.Options{CertFile: "/none", KeyFile: "/none"}, os.ErrNotExist},
		{here, etcd.Options{Username: "u", PasswordFile: "/none"}, os.ErrNotExist},
	} {
		client, err := etcd.Dial(test.endpoints, test.options)
		if !errors.Is(err, test.want) {
			t.Errorf("Dial(%v, %+v): %v, want %v", test.endpoints, test.options, err, test.want)
		}
		if client != nil {
			_ = client.Close()
		}
	}
}

func TestErrorsHaveKinds(t *testing.T) {
	client, err := etcd.Dial([]string{"http://127.0.0.1:1"}, etcd.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	for _, test := range []struct{ err, want error }{
		{nil, nil},
		{context.Canceled, context.Canceled},
		{context.DeadlineExceeded, api.ErrUnreachable},
		{rpctypes.ErrNoLeader, api.ErrUnreachable},
		{rpctypes.ErrTimeout, api.ErrUnreachable},
		{rpctypes.ErrCompacted, api.ErrCompacted},
		{rpctypes.ErrNoSpace, api.ErrQuota},
		{rpctypes.ErrTooManyRequests, api.ErrThrottled},
		{rpctypes.ErrRequestTooLarge, api.ErrInvalid},
		{rpctypes.ErrLeaseNotFound, api.ErrNotFound},
		{rpctypes.ErrPermissionDenied, api.ErrDenied},
		{rpctypes.ErrAuthFailed, api.ErrDenied},
	} {
		read := etcd.ReadError(t.Context(), client, "read", test.err)
		write := etcd.WriteError(t.Context(), client, "write", test.err)
		if !errors.Is(read, test.want) || !errors.Is(write, test.want) {
			t.Errorf("%v became %v and %v, want %v", test.err, read, write, test.want)
		}
		unknown := errors.Is(test.want, api.ErrUnreachable)
		if errors.Is(read, api.ErrUnknown) || errors.Is(write, api.ErrUnknown) != unknown {
			t.Errorf("%v became %v and %v: outcome unknown only of unanswered writes", test.err, read, write)
		}
		if test.err != nil && !errors.Is(read, test.err) {
			t.Errorf("%v is no longer in %v", test.err, read)
		}
	}
}

func TestCallIsBounded(t *testing.T) {
	ctx, cancel := etcd.Call(t.Context())
	defer cancel()
	if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > etcd.CallTimeout {
		t.Errorf("deadline %v, %v", deadline, ok)
	}
	longer, stop := context.WithTimeout(t.Context(), time.Hour)
	defer stop()
	ctx, cancel = etcd.Call(longer)
	defer cancel()
	if deadline, _ := ctx.Deadline(); time.Until(deadline) < time.Minute {
		t.Errorf("the caller's deadline became %v", deadline)
	}
}

// An etcd with users lets in who has the password, from a file.
func TestUsers(t *testing.T) {
	s := etcdtest.Start(t)
	for _, err := range []error{
		second(s.Client.UserAdd(t.Context(), "root", "secret")),
		second(s.Client.UserGrantRole(t.Context(), "root", "root")),
		second(s.Client.AuthEnable(t.Context())),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	client, err := etcd.Dial(s.Endpoints, etcd.Options{Username: "root", PasswordFile: file(t, "secret\n")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	if err := get(t, client); err != nil {
		t.Errorf("get with the right password: %v", err)
	}
	if err := get(t, s.Client); !errors.Is(err, api.ErrDenied) {
		t.Errorf("get without a password: %v, want %v", err, api.ErrDenied)
	}
	_, err = etcd.Dial(s.Endpoints, etcd.Options{Username: "root", PasswordFile: file(t, "guess")})
	if !errors.Is(err, api.ErrDenied) || strings.Contains(err.Error(), "guess") {
		t.Errorf("dial with a wrong password: %v, want %v", err, api.ErrDenied)
	}
}

func second[T any](_ T, err error) error { return err }

func get(t *testing.T, client *clientv3.Client) error {
	t.Helper()
	ctx, cancel := etcd.Call(t.Context())
	defer cancel()
	_, err := client.Get(ctx, "key")
	return etcd.ReadError(ctx, client, "get", err)
}
