package alisim_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

func TestRefusalsBesideDryRuns(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	dry := simtest.EntryArgs("172.20.1.0/24")
	dry["DryRun"] = "true"
	var both sync.WaitGroup
	for _, with := range []simtest.Args{dry, {"RouteTableId": "vtb-none"}} {
		both.Go(func() {
			for range 200 {
				if a := simtest.Ask(t, sim, "CreateRouteEntry", with); a.Code() == "" {
					t.Errorf("%v: no refusal", with)
				}
			}
		})
	}
	both.Wait() // the race detector is what fails this test
}

// create is a request for CreateRouteEntry of 172.20.5.0/24 that its caller may give up.
func create(ctx context.Context, base string) *http.Request {
	values := url.Values{"Action": {"CreateRouteEntry"}, "Version": {"2016-04-28"}}
	for k, v := range simtest.EntryArgs("172.20.5.0/24") {
		values.Set(k, v)
	}
	return httptest.NewRequestWithContext(ctx, http.MethodPost, base+"/?"+values.Encode(), nil)
}

func TestHangUpDropsOnlyTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simtest.New(t, alisim.Options{WriteTime: 2 * time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		func() {
			defer func() {
				if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) {
					t.Errorf("ended with %v", err)
				}
			}()
			sim.API().ServeHTTP(httptest.NewRecorder(), create(ctx, ""))
		}()
		if got := simtest.CustomEntries(sim); len(got) != 0 {
			t.Errorf("after the hang-up there is %v", got)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := simtest.CustomEntries(sim); len(got) != 1 {
			t.Errorf("the hidden create left %v", got)
		}
		if log := sim.Requests(); len(log) != 1 || log[0].Status != 0 || log[0].Ended.Sub(log[0].At) != 2*time.Second {
			t.Errorf("log is %+v", log)
		}
	})
}

func TestResetAndDrop(t *testing.T) {
	for _, secured := range []bool{false, true} {
		sim := simtest.New(t, alisim.Options{})
		server := httptest.NewUnstartedServer(sim.API())
		if secured {
			server.StartTLS()
		} else {
			server.Start()
		}
		t.Cleanup(server.Close)
		for want, f := range map[error]alisim.Fault{syscall.ECONNRESET: {Reset: true}, io.EOF: {Drop: true}} {
			sim.Fault(f)
			r := create(t.Context(), server.URL)
			r.RequestURI = ""
			answer, err := server.Client().Do(r)
			if err == nil {
				_ = answer.Body.Close()
			}
			if !errors.Is(err, want) {
				t.Errorf("%+v, TLS %t: got %v, want %v", f, secured, err, want)
			}
		}
		if got := simtest.CustomEntries(sim); len(got) > 0 {
			t.Errorf("the work was done: %v", got)
		}
	}
}
