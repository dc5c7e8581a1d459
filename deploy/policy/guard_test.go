package policy

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/ram"
)

// guard is the simulator for a role that has one policy.
type guard struct {
	sim     *alisim.Sim
	permits ram.Policy
}

func (g guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	params := map[string]string{}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, values := range []url.Values{form, r.URL.Query()} {
		for name, value := range values {
			params[name] = value[0]
		}
	}
	c := callOf(g.sim, params["Version"], params["Action"], params)
	if ok, _ := g.permits.Permits(c); !ok {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(map[string]any{ // the caller may be gone
			"RequestId": "R", "HostId": "h", "Code": "Forbidden.RAM", "Message": "User not authorized to operate on the specified resource.",
			"AccessDeniedDetail": map[string]string{"AuthAction": c.Product + ":" + c.Action},
		})
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	g.sim.API().ServeHTTP(w, r)
}

// callOf is a request as far as permissions go.
func callOf(sim *alisim.Sim, version, action string, params map[string]string) ram.Call {
	product := map[string]string{"2016-04-28": "vpc", "2014-05-26": "ecs", "2015-04-01": "sts"}[version]
	return ram.Call{
		Product: product, Action: action, Region: region, Account: account, Params: params,
		TableOf: func(entry string) string {
			for _, table := range tables() {
				for _, r := range sim.Routes(table) {
					if r.ID == entry {
						return table
					}
				}
			}
			return ""
		},
	}
}
