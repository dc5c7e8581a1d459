package call

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
)

// Wire writes answers in the name of a region and an account.
type Wire struct{ Region, Account string }

// Write sends an answer to a call, under the id of the request.
func (wire Wire) Write(w http.ResponseWriter, c *Call, id string, a Answer) {
	switch {
	case a.reset:
		breakOff(w)
	case a.Drop:
		panic(http.ErrAbortHandler) // net/http's way to close a connection
	case a.HTML:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(a.Status)
		_, _ = fmt.Fprintf(w, "<html><head><title>%d %s</title></head><body>Powered by Tengine</body></html>\n", a.Status, http.StatusText(a.Status))
	case a.bad != nil:
		if after := a.bad.RetryAfter; after > 0 {
			w.Header().Set("x-acs-retry-after", strconv.FormatInt(after.Milliseconds(), 10))
		}
		WriteJSON(w, a.Status, wire.failure(c, id, a.bad))
	default:
		a.Reply.setRequestID(id)
		WriteJSON(w, a.Status, a.Reply)
	}
}

// breakOff closes the connection in such a way that the caller's system says ECONNRESET.
func breakOff(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // the next best, where there is no connection to be had
	}
	if secured, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secured.NetConn()
	}
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetLinger(0) // without it the close is a polite one
	}
	_ = conn.Close() // the caller may be gone
}

// WriteJSON sends a body with a status.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(body) // the caller may be gone; nobody is left to tell
}
