package alisim

import (
	"fmt"
	"net/http"
	"time"

	"github.com/sealane/sealane/api"
)

// worldRoutes are the hands that reach into the model, by HTTP.
func (s *Sim) worldRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/world", answering(func(*http.Request) (any, error) { return s.Snapshot(), nil }))
	mux.HandleFunc("GET /v1/world/instances", answering(func(*http.Request) (any, error) { return nonNil(s.Snapshot().Instances), nil }))
	mux.HandleFunc("POST /v1/world/instances", hand(func(i Instance, _ string) error { return s.AddInstance(i) }))
	mux.HandleFunc("DELETE /v1/world/instances/{id}", answering(func(r *http.Request) (any, error) {
		if r.URL.Query().Get("reclaim") == "true" {
			return nil, s.ReclaimInstance(r.PathValue("id"))
		}
		return nil, s.RemoveInstance(r.PathValue("id"))
	}))
	mux.HandleFunc("PUT /v1/world/instances/{id}/status", hand(func(v struct {
		Status string `json:"status"`
	}, id string,
	) error {
		return s.SetStatus(id, v.Status)
	}))
	mux.HandleFunc("PUT /v1/world/interfaces/{id}/source-dest-check", hand(func(v struct {
		On bool `json:"on"`
	}, id string,
	) error {
		return s.SetSourceDestCheck(id, v.On)
	}))
	mux.HandleFunc("PUT /v1/world/interfaces/{id}/security-groups", hand(func(v struct {
		Groups []string `json:"groups"`
	}, id string,
	) error {
		return s.SetGroups(id, v.Groups)
	}))
	s.networkRoutes(mux)
}

func (s *Sim) networkRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/world/tables/{id}/routes", answering(func(r *http.Request) (any, error) {
		routes := s.Routes(r.PathValue("id"))
		if routes == nil {
			return nil, fmt.Errorf("table %q: %w", r.PathValue("id"), api.ErrNotFound)
		}
		return routes, nil
	}))
	mux.HandleFunc("POST /v1/world/edits", hand(func(e Edit, _ string) error { return s.Edit(e) }))
	mux.HandleFunc("PUT /v1/world/tables/{id}/quota", hand(func(v struct {
		Entries int `json:"entries"`
	}, id string,
	) error {
		return s.SetQuota(id, v.Entries)
	}))
	mux.HandleFunc("POST /v1/world/vpcs/{id}/tables", hand(func(t Table, id string) error { return s.AddTable(id, t) }))
	mux.HandleFunc("POST /v1/world/vpcs/{id}/vswitches", hand(func(v VSwitch, id string) error { return s.AddVSwitch(id, v) }))
	mux.HandleFunc("PUT /v1/world/vswitches/{id}/table", hand(func(v struct {
		Table string `json:"table"`
	}, id string,
	) error {
		return s.Associate(id, v.Table)
	}))
	mux.HandleFunc("PUT /v1/world/vpcs/{id}/security-groups", hand(func(g SecurityGroup, id string) error { return s.SetSecurityGroup(id, g) }))
	mux.HandleFunc("PUT /v1/world/vpcs/{id}/task-time", hand(func(v struct {
		TaskTime Duration `json:"taskTime"`
	}, id string,
	) error {
		return s.SetTaskTime(id, time.Duration(v.TaskTime))
	}))
	mux.HandleFunc("PUT /v1/world/states/{id}", hand(func(v struct {
		State State `json:"state"`
	}, id string,
	) error {
		return s.SetState(id, v.State)
	}))
}

// hand makes a handler of a change, of a JSON body and the id in the path.
func hand[T any](change func(body T, id string) error) http.HandlerFunc {
	return answering(func(r *http.Request) (any, error) {
		var zero T
		body, err := take(r, zero)
		if err != nil {
			return nil, err
		}
		return nil, change(body, r.PathValue("id"))
	})
}
