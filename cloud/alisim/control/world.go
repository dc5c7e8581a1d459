package control

import (
	"fmt"
	"net/http"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim/world"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// worldRoutes are the hands that reach into the model, by HTTP.
func (s Control) worldRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/world", answerJSON(func(*http.Request) (any, error) { return s.Hands.Snapshot(), nil }))
	mux.HandleFunc("GET /v1/world/instances", answerJSON(func(*http.Request) (any, error) { return world.NonNil(s.Hands.Snapshot().Instances), nil }))
	mux.HandleFunc("POST /v1/world/instances", changeByBody(func(i seed.Instance, _ string) error { return s.Hands.AddInstance(i) }))
	mux.HandleFunc("DELETE /v1/world/instances/{id}", answerJSON(func(r *http.Request) (any, error) {
		if r.URL.Query().Get("reclaim") == "true" {
			return nil, s.Hands.ReclaimInstance(r.PathValue("id"))
		}
		return nil, s.Hands.RemoveInstance(r.PathValue("id"))
	}))
	mux.HandleFunc("PUT /v1/world/instances/{id}/status", changeField("status", s.Hands.SetStatus))
	mux.HandleFunc("PUT /v1/world/interfaces/{id}/source-dest-check", changeField("on", s.Hands.SetSourceDestCheck))
	mux.HandleFunc("PUT /v1/world/interfaces/{id}/security-groups", changeField("groups", s.Hands.SetGroups))
	s.networkRoutes(mux)
}

func (s Control) networkRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/world/tables/{id}/routes", answerJSON(func(r *http.Request) (any, error) {
		routes := s.Hands.Routes(r.PathValue("id"))
		if routes == nil {
			return nil, fmt.Errorf("table %q: %w", r.PathValue("id"), api.ErrNotFound)
		}
		return routes, nil
	}))
	mux.HandleFunc("POST /v1/world/edits", changeByBody(func(e world.Edit, _ string) error { return s.Hands.Edit(e) }))
	mux.HandleFunc("PUT /v1/world/tables/{id}/quota", changeField("entries", s.Hands.SetQuota))
	mux.HandleFunc("POST /v1/world/vpcs/{id}/tables", changeByBody(func(t seed.Table, id string) error { return s.Hands.AddTable(id, t) }))
	mux.HandleFunc("POST /v1/world/vpcs/{id}/vswitches", changeByBody(func(v seed.VSwitch, id string) error { return s.Hands.AddVSwitch(id, v) }))
	mux.HandleFunc("PUT /v1/world/vswitches/{id}/table", changeField("table", s.Hands.Associate))
	mux.HandleFunc("PUT /v1/world/vpcs/{id}/security-groups", changeByBody(func(g seed.SecurityGroup, id string) error { return s.Hands.SetSecurityGroup(id, g) }))
	mux.HandleFunc("PUT /v1/world/vpcs/{id}/task-time", changeField("taskTime", func(id string, d seed.Duration) error {
		return s.Hands.SetTaskTime(id, time.Duration(d))
	}))
	mux.HandleFunc("PUT /v1/world/states/{id}", changeField("state", s.Hands.SetState))
}

// changeByBody makes a handler of a change, of a JSON body and the id in the path.
func changeByBody[T any](change func(body T, id string) error) http.HandlerFunc {
	return answerJSON(func(r *http.Request) (any, error) {
		var zero T
		body, err := readBody(r, zero)
		if err != nil {
			return nil, err
		}
		return nil, change(body, r.PathValue("id"))
	})
}

// changeField makes a handler of a change of one thing, which the body must name: {"on":true}. What is
// forgotten is no zero.
func changeField[T any](name string, change func(id string, value T) error) http.HandlerFunc {
	return answerJSON(func(r *http.Request) (any, error) {
		body, err := readBody(r, map[string]*T(nil))
		if err != nil {
			return nil, err
		}
		value := body[name]
		if value == nil || len(body) > 1 {
			return nil, fmt.Errorf("%w: the body must hold %q and nothing else", api.ErrInvalid, name)
		}
		return nil, change(r.PathValue("id"), *value)
	})
}
