// Package server answers over HTTP: the JSON status API, health and metrics. It reads from a
// small Source and changes nothing.
package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/sealane/sealane/api"
)

// Source is what the server shows. Package controller's Board is the real one.
type Source interface {
	// Status returns the latest document; api.ErrUnreachable while there is none.
	Status() (api.Status, error)
}

// New returns the handler. metrics answers /metrics; nil leaves it out.
//
//	GET /api/v1/status   everything
//	GET /api/v1/hosts    the hosts, each with the one word that sums it up
//	GET /api/v1/routes   the desired routes and how far each has come
//	GET /api/v1/plan     the plan of the last pass
//	GET /healthz         200 while the process runs
//	GET /readyz          200 once the registry has answered and still does
func New(source Source, metrics http.Handler, log *slog.Logger) http.Handler {
	s := &server{source: source, log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/status", s.document(func(st api.Status) any { return st }))
	mux.HandleFunc("GET /api/v1/hosts", s.document(func(st api.Status) any {
		return api.HostList{Schema: api.SchemaHosts, Hosts: st.Hosts}
	}))
	mux.HandleFunc("GET /api/v1/routes", s.document(func(st api.Status) any {
		return api.RouteList{Schema: api.SchemaRoutes, Routes: st.Routes}
	}))
	mux.HandleFunc("GET /api/v1/plan", s.plan)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	if metrics != nil {
		mux.Handle("GET /metrics", metrics)
	}
	mux.HandleFunc("/", s.notFound)
	return mux
}

// Serve answers on the listener until ctx ends, then lets running requests finish for a
// moment. It returns nil at a normal end.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	srv := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(listener) }() // ends with Shutdown below, or with its own error
	select {
	case err := <-done:
		return fmt.Errorf("serve HTTP on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		_ = srv.Close() // requests that outlast the grace are cut
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP on %s: %w", listener.Addr(), err)
	}
	return nil
}

type server struct {
	source Source
	log    *slog.Logger
}

// document answers with a part of the status.
func (s *server) document(part func(api.Status) any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		status, err := s.source.Status()
		if err != nil {
			s.fail(w, err)
			return
		}
		s.write(w, http.StatusOK, part(status))
	}
}

// plan answers with the plan of the last pass. Without a pass there is none, which is not the
// same as a plan with nothing to do.
func (s *server) plan(w http.ResponseWriter, _ *http.Request) {
	st, err := s.source.Status()
	switch {
	case err != nil:
		s.fail(w, err)
	case st.Pass == nil:
		s.fail(w, fmt.Errorf("plan: no controller has made a pass yet: %w", api.ErrUnreachable))
	default:
		s.write(w, http.StatusOK, api.PlanDocument{
			Schema: api.SchemaPlan, At: st.Pass.At, Policy: st.Pass.Policy, DeletesID: st.Pass.DeletesID,
			Omitted: st.Pass.Omitted, Plan: st.Pass.Plan,
		})
	}
}

func (s *server) ready(w http.ResponseWriter, _ *http.Request) {
	status, err := s.source.Status()
	switch {
	case err != nil:
		s.fail(w, err)
	case !status.Registry.Reachable:
		s.fail(w, fmt.Errorf("ready: %s: %w", status.Registry.Problem, api.ErrUnreachable))
	default:
		_, _ = fmt.Fprintln(w, "ok")
	}
}

func (s *server) notFound(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		s.write(w, http.StatusMethodNotAllowed, body(fmt.Errorf("%s %s: this API is read with GET: %w", r.Method, r.URL.Path, api.ErrUsage)))
		return
	}
	s.fail(w, fmt.Errorf("%s: no such page; the documents are under /api/v1/: %w", r.URL.Path, api.ErrNotFound))
}

func (s *server) fail(w http.ResponseWriter, err error) { s.write(w, statusOf(err), body(err)) }

func (s *server) write(w http.ResponseWriter, code int, doc any) {
	text, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		s.log.Error("cannot encode a document", api.KeyError, err) // a bug: every document encodes
		http.Error(w, `{"error":"the document could not be encoded"}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write(append(text, '\n'))
}

// body names the error's kind, which the client turns back into the same kind.
func body(err error) api.ErrorBody {
	b := api.ErrorBody{Schema: api.SchemaError, Kind: "error", Error: err.Error()}
	for _, kind := range api.Kinds() {
		if errors.Is(err, kind) {
			b.Kind = kind.Error()
			break
		}
	}
	return b
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, api.ErrUnreachable):
		return http.StatusServiceUnavailable
	case errors.Is(err, api.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, api.ErrInvalid), errors.Is(err, api.ErrUsage):
		return http.StatusBadRequest
	case errors.Is(err, api.ErrDenied):
		return http.StatusForbidden
	default:
		return http.StatusInternalServerError
	}
}
