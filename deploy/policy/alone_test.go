package policy

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane/cloud/alisim"
)

// Each call that any operation makes is sent again with one document alone: the simulator
// refuses it with Forbidden.RAM just where the document does not grant it.
func TestEachCallAlone(t *testing.T) {
	asked := map[string]alisim.Request{} // one for each action
	for name := range operations() {
		for _, q := range requests(t, name) {
			asked[q.Version+" "+q.Action] = q
		}
	}
	for name := range operations() {
		r := newRig(t, attached(t, name))
		server := httptest.NewServer(r.sim.API())
		defer server.Close()
		grants := granted(t, name)
		for _, key := range slices.Sorted(maps.Keys(asked)) {
			q := asked[key]
			c := callOf(r.sim, q)
			want := !slices.Contains(grants, c.Product+":"+c.Action)
			if code := again(t, server.URL, q); (code == "Forbidden.RAM") != want {
				t.Errorf("%s: %s:%s is answered %q, want it refused: %t", name, c.Product, c.Action, code, want)
			}
		}
	}
}

// again sends a request and returns the code of its answer. The newer form of signature is
// one that the simulator does not verify.
func again(t *testing.T, address string, q alisim.Request) string {
	t.Helper()
	form := url.Values{}
	for name, value := range q.Params {
		form.Set(name, value)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=host,Signature=0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	var answer struct{ Code string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer.Code
}
