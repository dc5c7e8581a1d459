package redirect

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"

	"github.com/sealane/sealane/agent/host/kernel"
	"github.com/sealane/sealane/api"
)

// redirectFilter is our filter on an interface; nil if there is none.
func redirectFilter(link netlink.Link) (*netlink.BpfFilter, error) {
	filters, err := netlink.FilterList(link, netlink.HANDLE_MIN_INGRESS)
	if err != nil {
		return nil, fmt.Errorf("list filters of %s: %w", link.Attrs().Name, kernel.Explain(err))
	}
	for _, f := range filters {
		if f.Attrs().Priority != redirectPref {
			continue
		}
		if own, ok := f.(*netlink.BpfFilter); ok && own.Name == redirectName {
			return own, nil
		}
		return nil, fmt.Errorf("preference %d of the ingress filters of %s is taken by another program: %w", redirectPref, link.Attrs().Name, api.ErrRefused)
	}
	return nil, nil
}

func clsact(link netlink.Link) netlink.Qdisc {
	return &netlink.Clsact{QdiscAttrs: netlink.QdiscAttrs{
		LinkIndex: link.Attrs().Index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT,
	}}
}

// ingressQdisc is the qdisc that holds an interface's ingress filters; nil without one.
func ingressQdisc(link netlink.Link) (netlink.Qdisc, error) {
	qdiscs, err := netlink.QdiscList(link)
	if err != nil {
		return nil, fmt.Errorf("list qdiscs of %s: %w", link.Attrs().Name, kernel.Explain(err))
	}
	for _, q := range qdiscs {
		if q.Attrs().Parent == netlink.HANDLE_INGRESS { // the same number as that of clsact
			return q, nil
		}
	}
	return nil, nil
}

// removeClsact removes an interface's qdisc clsact, unless filters are in it.
func removeClsact(uplink string) error {
	link, err := netlink.LinkByName(uplink)
	if _, gone := errors.AsType[netlink.LinkNotFoundError](err); gone {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove qdisc clsact of %s: %w", uplink, kernel.Explain(err))
	}
	qdisc, err := ingressQdisc(link)
	if qdisc == nil || err != nil {
		return err
	}
	for _, side := range []uint32{netlink.HANDLE_MIN_INGRESS, netlink.HANDLE_MIN_EGRESS} {
		filters, err := netlink.FilterList(link, side)
		if err != nil {
			return fmt.Errorf("list filters of %s: %w", link.Attrs().Name, kernel.Explain(err))
		}
		if len(filters) > 0 {
			return nil
		}
	}
	return kernel.Wrap("remove qdisc clsact of "+link.Attrs().Name, netlink.QdiscDel(qdisc))
}
