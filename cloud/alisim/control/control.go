// Package control is the admin endpoint of a simulator, which reaches by HTTP into what the
// methods of alisim.Sim reach from Go: faults, the log of requests, the world and the options.
package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim/call"
	"github.com/sealane/sealane/cloud/alisim/fault"
	"github.com/sealane/sealane/cloud/alisim/world"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// controlBody is the longest body that the admin endpoint reads.
const controlBody = 1 << 20

// ListenAdmin opens the listener for [Control.Handler]. An address that is not on loopback is
// refused with api.ErrInvalid: whoever reaches it does with the simulator what he likes.
func ListenAdmin(ctx context.Context, address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("admin address %q: %w: %w", address, api.ErrInvalid, err)
	}
	if !isLoopback(host) {
		return nil, fmt.Errorf("admin address %q: %w: it is not on loopback, such as 127.0.0.1", address, api.ErrInvalid)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on admin address %s: %w", address, err)
	}
	return listener, nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// Control reaches into a simulator by HTTP, as its methods do from Go.
type Control struct {
	Hands       world.Hands
	Faults      *fault.List
	Log         *call.Log
	Settings    *Settings
	SetPolicy   func(name string, document seed.Document) error
	Certificate func() (pem []byte, err error) // of the identity documents
}

// answerJSON makes a handler of a function that returns what to answer: nothing is 204.
func answerJSON(do func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out, err := do(r)
		switch {
		case errors.Is(err, api.ErrNotFound):
			refuseControl(w, http.StatusNotFound, err)
		case errors.Is(err, api.ErrRefused):
			refuseControl(w, http.StatusConflict, err)
		case err != nil:
			refuseControl(w, http.StatusBadRequest, err)
		case out == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			call.WriteJSON(w, http.StatusOK, out)
		}
	}
}

func refuseControl(w http.ResponseWriter, status int, err error) {
	call.WriteJSON(w, status, map[string]string{"error": err.Error()})
}

// readBody reads a JSON body, and only what it knows.
func readBody[T any](r *http.Request, into T) (T, error) {
	text, err := jsonBody(r)
	if err != nil {
		return into, err
	}
	return decodeBody(text, into)
}

// jsonBody reads the body. Another content type than JSON's is refused, since that is what a
// web page could send from afar.
func jsonBody(r *http.Request) ([]byte, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, fmt.Errorf("%w: the body must be application/json", api.ErrInvalid)
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: body: %w", api.ErrInvalid, err)
	}
	return text, nil
}

func decodeBody[T any](text []byte, into T) (T, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&into); err != nil {
		return into, fmt.Errorf("%w: body: %w", api.ErrInvalid, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return into, fmt.Errorf("%w: more than one value in the body", api.ErrInvalid)
	}
	return into, nil
}
