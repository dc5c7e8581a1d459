package control

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"

	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// Handler serves the admin endpoint: faults, the log of requests, the world and the settings,
// as JSON under /v1/. It answers callers on loopback that name it by a loopback address,
// so no web page can reach it by a name of its own.
func (s Control) Handler() http.Handler {
	mux := http.NewServeMux()
	s.faultRoutes(mux)
	s.worldRoutes(mux)
	mux.HandleFunc("GET /v1/requests", answerJSON(s.listRequests))
	mux.HandleFunc("DELETE /v1/requests", answerJSON(func(*http.Request) (any, error) { s.Log.Reset(); return nil, nil }))
	mux.HandleFunc("GET /v1/counts", answerJSON(func(*http.Request) (any, error) { return s.Log.Counts(), nil }))
	mux.HandleFunc("GET /v1/settings", answerJSON(func(*http.Request) (any, error) { return settingsForm(s.Settings.Options()), nil }))
	mux.HandleFunc("PUT /v1/settings", answerJSON(s.putSettings))
	mux.HandleFunc("PUT /v1/policies/{name}", answerJSON(s.putPolicy))
	mux.HandleFunc("GET /v1/identity-certificate", answerJSON(func(*http.Request) (any, error) {
		text, err := s.Certificate()
		return map[string]string{"pem": string(text)}, err
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		if !isLoopback(host) || err != nil || !from.Addr().Unmap().IsLoopback() {
			refuseControl(w, http.StatusForbidden, errors.New("the admin endpoint answers on loopback only"))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, controlBody)
		mux.ServeHTTP(w, r)
	})
}

func (s Control) putPolicy(r *http.Request) (any, error) {
	document, err := readBody(r, json.RawMessage(nil))
	if err != nil {
		return nil, err
	}
	if string(document) == "null" {
		document = nil
	}
	return nil, s.SetPolicy(r.PathValue("name"), seed.Document(document))
}
