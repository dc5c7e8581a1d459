package alicloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alisim"
)

func TestErrorTellsWhatHappened(t *testing.T) {
	r := newRig(t)
	r.sim.Fault(alisim.Fault{Code: "Forbidden.RAM"})
	_, err := r.Routes(t.Context(), "vtb-x")
	for _, part := range []string{
		"list routes of vtb-x", "DescribeRouteEntryList", "Forbidden.RAM", "must allow vpc:DescribeRouteEntryList",
		"(request " + r.sim.Requests()[0].ID + ")", "denied",
	} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %q", err, part)
		}
	}
}

// leaks reports which canaries an output shows, in any escaping.
func leaks(t *testing.T, output string) {
	t.Helper()
	for _, word := range []string{"canary", "Signature="} {
		if strings.Contains(output, word) {
			t.Errorf("%q leaks in: %s", word, output)
		}
	}
}

// asked makes a read and a write at an endpoint with a temporary key, and returns their
// errors.
func asked(t *testing.T, endpoint string) []error {
	t.Helper()
	c := config(endpoint)
	c.SecurityToken, c.Timeout, c.Settle = canaryToken, time.Second, time.Millisecond
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	_, errRead := p.Network(t.Context())
	results, err := p.Apply(t.Context(), creates(0, 1), cloud.Always)
	if err != nil {
		t.Fatal(err)
	}
	return []error{errRead, results[0].Err}
}

// echo answers every request with everything that it carried.
func echo(status int, form string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if status == http.StatusFound {
			w.Header().Set("Location", "/again?"+r.URL.RawQuery)
		}
		w.WriteHeader(status)
		once := strings.ReplaceAll(r.URL.RawQuery, `"`, "")
		_, _ = fmt.Fprintf(w, form, once+" "+strings.ReplaceAll(once, "%", "%25")+" "+canaryID)
	}
}

func TestErrorsShowNoSecrets(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"message":   echo(400, `{"Code":"InvalidParameter","Message":"you sent %s"}`),
		"signature": echo(400, `{"Code":"SignatureDoesNotMatch","Message":"server string to sign is:%s"}`),
		"page":      echo(502, `<html>%s</html>`),
		"not JSON":  echo(200, `<html>%s</html>`),
		"redirect":  echo(302, `%s`),
		"dropped":   func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(handler)
			defer server.Close()
			for _, err := range asked(t, server.URL) {
				if err == nil {
					t.Fatal("no error")
				}
				text := fmt.Sprintf("%v %+v %#v", err, err, err.Error())
				if name == "message" || name == "page" {
					text = strings.ReplaceAll(text, "Signature=", "") // a truncated echo of its name is harmless
				}
				leaks(t, text)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		for _, err := range asked(t, "http://"+closedPort(t)) {
			if !errors.Is(err, api.ErrUnreachable) {
				t.Errorf("got %v, want ErrUnreachable: nothing was sent", err)
			}
			leaks(t, err.Error())
		}
	})
}

func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return listener.Addr().String()
}

// An answer that is not the cloud's is no evidence: not of an empty list, not of success.
func TestAnswersThatAreNotTheCloud(t *testing.T) {
	for name, body := range map[string]string{
		"empty":               "",
		"page":                "<html>sign in to the guest network</html>",
		"object":              "{}",
		"error with 200":      `{"RequestId":"1","Code":"InternalError","Message":"m"}`,
		"null list":           `{"RequestId":"1","Vpcs":null,"Instances":null,"RouteEntrys":null}`,
		"no request id":       `{"Vpcs":{"Vpc":[]},"Instances":{"Instance":[]},"RouteEntrys":{"RouteEntry":[]}}`,
		"list of other shape": `{"RequestId":"1","RouteEntrys":{"RouteEntry":[{"DestinationCidrBlock":""}]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
			defer server.Close()
			p, err := New(config(server.URL))
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if routes, err := p.Routes(t.Context(), "vtb-1"); !errors.Is(err, api.ErrUnreachable) {
				t.Errorf("routes: got %v, %v; want ErrUnreachable", routes, err)
			}
			if found, err := p.Instances(t.Context(), []api.InstanceID{"i-1"}); !errors.Is(err, api.ErrUnreachable) {
				t.Errorf("instances: got %v, %v; want ErrUnreachable", found, err)
			}
		})
	}
}

// The SDK asserts the types of an error body without looking.
func TestErrorBodyOfWrongTypes(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"Code":5,"Message":["no"],"AccessDeniedDetail":"no"}`)
	}))
	defer server.Close()
	errs := asked(t, server.URL)
	if !errors.Is(errs[0], api.ErrUnreachable) || !errors.Is(errs[1], api.ErrUnknown) {
		t.Errorf("got %v", errs)
	}
}

func TestSlowCloud(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Timeout = 30 * time.Millisecond })
	r.sim.Fault(alisim.Fault{Delay: time.Minute, Times: -1})
	if _, err := r.Network(t.Context()); !errors.Is(err, api.ErrUnreachable) {
		t.Errorf("got %v, want ErrUnreachable after the call's timeout", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := r.Network(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}
