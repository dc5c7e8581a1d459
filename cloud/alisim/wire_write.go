package alisim

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
func (wire Wire) Write(w http.ResponseWriter, c *call, id string, a answer) {
	switch {
	case a.reset:
		breakOff(w)
	case a.drop:
		panic(http.ErrAbortHandler) // net/http's way to close a connection
	case a.html:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(a.status)
		_, _ = fmt.Fprintf(w, "<html><head><title>%d %s</title></head><body>Powered by Tengine</body></html>\n", a.status, http.StatusText(a.status))
	case a.bad != nil:
		if after := a.bad.retryAfter; after > 0 {
			w.Header().Set("x-acs-retry-after", strconv.FormatInt(after.Milliseconds(), 10))
		}
		send(w, a.status, wire.failure(c, id, a.bad))
	default:
		a.reply.named(id)
		send(w, a.status, a.reply)
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

func send(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(body) // the caller may be gone; nobody is left to tell
}
