package alisim

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
)

// answer is what goes back to the caller.
type answer struct {
	status int
	reply  reply    // of a call that went well
	bad    *refusal // of one that did not
	html   bool
	reset  bool // the connection breaks off
	drop   bool // the connection is closed, with nothing said
}

// refusedWith is the answer for an error of a handler. Those are refusals; anything else is
// a fault of the simulator and looks like one.
func refusedWith(c *call, err error) answer {
	r, ok := errors.AsType[*refusal](err)
	if !ok {
		r = refuse("InternalError")
		r.message = err.Error()
	}
	r.status = statusOf(c, r.code, r.status)
	return answer{status: r.status, bad: r}
}

// handler does an action's work on the model. The caller holds the world.
type handler func(*world, *call) (reply, error)

// reply is the body of a good answer; all of them embed body.
type reply interface{ named(requestID string) }

// body is what every good answer carries.
type body struct {
	RequestID string `json:"RequestId"`
}

func (b *body) named(requestID string) { b.RequestID = requestID }

// requestID is an upper-case UUID, as the cloud gives with each answer.
func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// answerOfFault is a fault's answer in place of the call's own.
func answerOfFault(f Fault, c *call) answer {
	switch {
	case f.Reset:
		return answer{reset: true}
	case f.Drop:
		return answer{drop: true}
	case f.HTML && f.Status == 0:
		return answer{status: http.StatusBadGateway, html: true}
	case f.HTML:
		return answer{status: f.Status, html: true}
	}
	r := refuse(f.Code)
	r.status = statusOf(c, f.Code, r.status)
	if f.Status != 0 {
		r.status = f.Status
	}
	r.retryAfter = f.RetryAfter
	if f.Code == "Forbidden.RAM" {
		r.denied = c.action
	}
	return answer{status: r.status, bad: r}
}
