package route

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
)

// linkState is a link, and what else of it decides about answers.
type linkState struct {
	host.Link
	index int
}

// readLinks reads the interfaces of a question. One that is not there is no error.
func readLinks(h *netlink.Handle, q host.PathQuestion) (map[string]linkState, error) {
	names := host.Wish{Uplink: q.Uplink, Locals: q.Locals}.Links()
	links := make(map[string]linkState, len(names))
	for _, name := range names {
		s := linkState{Link: host.Link{Name: name}}
		link, err := h.LinkByName(name)
		if _, missing := errors.AsType[netlink.LinkNotFoundError](err); missing {
			links[name] = s
			continue
		}
		if err != nil {
			return nil, kernel.Wrap("read interface "+name, err)
		}
		a := link.Attrs()
		s.There, s.Up, s.MTU, s.index = true, a.Flags&net.FlagUp != 0, a.MTU, a.Index
		if s.Forwarding, s.Forwarding6, s.ReversePath, err = readSettings(name); err != nil {
			return nil, err
		}
		links[name] = s
	}
	return links, nil
}

func readSettings(link string) (forwarding, forwarding6 bool, reversePath int, err error) {
	var errs []error
	read := func(path string) int {
		value, err := os.ReadFile("/proc/sys/net/" + path)
		if errors.Is(err, fs.ErrNotExist) {
			return 0 // no IPv6, or an interface that went away
		}
		number, badNumber := strconv.Atoi(strings.TrimSpace(string(value)))
		if err = errors.Join(err, badNumber); err != nil {
			errs = append(errs, fmt.Errorf("read sysctl %s: %w", path, err))
		}
		return number
	}
	forwarding = read("ipv4/conf/"+link+"/forwarding") != 0
	forwarding6 = read("ipv6/conf/"+link+"/forwarding") != 0
	reversePath = max(read("ipv4/conf/all/rp_filter"), read("ipv4/conf/"+link+"/rp_filter"))
	return forwarding, forwarding6, reversePath, errors.Join(errs...)
}

// linkNames are the names of all links, by index.
func linkNames(h *netlink.Handle) (map[int]string, error) {
	links, err := h.LinkList()
	if err != nil {
		return nil, kernel.Wrap("list interfaces", err)
	}
	names := make(map[int]string, len(links))
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
	}
	return names, nil
}

// linksOf are the links as values, by name.
func linksOf(states map[string]linkState) []host.Link {
	links := make([]host.Link, 0, len(states))
	for _, s := range states {
		links = append(links, s.Link)
	}
	slices.SortFunc(links, func(a, b host.Link) int { return strings.Compare(a.Name, b.Name) })
	return links
}
