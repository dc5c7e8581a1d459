package kernel

import (
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Receiver is a netlink socket.
type Receiver interface {
	Receive() ([]syscall.NetlinkMessage, *unix.SockaddrNetlink, error)
}

// ReadMessages calls wake for messages that matter, and for lost ones, until the socket fails
// or is closed.
func ReadMessages(s Receiver, matters func(syscall.NetlinkMessage) bool, wake func()) error {
	for {
		messages, _, err := s.Receive()
		lost := errors.Is(err, unix.ENOBUFS) // more came than the socket holds
		if err != nil && !lost {
			return fmt.Errorf("read what the kernel announces: %w", err)
		}
		if lost || slices.ContainsFunc(messages, matters) {
			wake()
		}
	}
}

// Attribute finds an attribute of a netlink message behind its own header, which has that
// many bytes.
func Attribute(data []byte, header int, kind uint16) ([]byte, bool) {
	if len(data) < header {
		return nil, false
	}
	attrs, err := nl.ParseRouteAttr(data[header:])
	if err != nil {
		return nil, false
	}
	for _, a := range attrs {
		if a.Attr.Type&nl.NLA_TYPE_MASK == kind {
			return a.Value, true
		}
	}
	return nil, false
}
