package call_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

func TestLocationNamesThisEndpoint(t *testing.T) {
	a := simtest.Good(t, simtest.New(t, alisim.Options{}), "DescribeEndpoints", simtest.Args{"Version": "2015-06-12", "ServiceCode": "vpc", "Id": "cn-hangzhou"})
	if got := a.At("Endpoints", "Endpoint", 0, "Endpoint"); got != "example.com" { // the request's host
		t.Errorf("endpoint %v", got)
	}
}

func TestEndpointsHaveTheSchemeOfTheCall(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	for want, state := range map[string]*tls.ConnectionState{"HTTP": nil, "HTTPS": {}} {
		r := httptest.NewRequest(http.MethodGet, "/?Action=DescribeEndpoints&Version=2015-06-12&ServiceCode=vpc", nil)
		r.TLS = state
		if got := simtest.Do(t, sim, r).At("Endpoints", "Endpoint", 0, "Protocols", "Protocols", 0); got != want {
			t.Errorf("protocol %v, want %s", got, want)
		}
	}
}
