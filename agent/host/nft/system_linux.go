package nft

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host/kernel"
	"github.com/sealane/sealane/api"
)

// Real is the machine's kernel and the command nft in the path. It may be used by many
// goroutines at once.
type Real struct {
	mu  sync.Mutex
	own []int // processes of our last transactions
}

// ownKept is how many processes of ours are remembered: more than can have announcements
// waiting to be read.
const ownKept = 64

// Generation asks the kernel.
func (*Real) Generation() (uint32, error) {
	messages, err := askKernel(unix.NFT_MSG_GETGEN, 0)
	if err != nil {
		return 0, kernel.Wrap("read the generation of nftables", err)
	}
	for _, m := range messages {
		if id, ok := attribute(m, unix.NFTA_GEN_ID); ok && len(id) == 4 {
			return binary.BigEndian.Uint32(id), nil
		}
	}
	return 0, fmt.Errorf("read the generation of nftables: the kernel told none")
}

// askKernel sends a question about nftables as a whole.
func askKernel(question, flags int) ([][]byte, error) {
	req := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|question, flags)
	req.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_UNSPEC, Version: nl.NFNETLINK_V0})
	return req.Execute(unix.NETLINK_NETFILTER, 0)
}

// Tables asks the kernel.
func (*Real) Tables() ([]Found, error) {
	messages, err := askKernel(unix.NFT_MSG_GETTABLE, unix.NLM_F_DUMP)
	if err != nil {
		return nil, kernel.Wrap("list nftables tables", err)
	}
	families := map[byte]string{
		unix.NFPROTO_IPV4: "ip", unix.NFPROTO_IPV6: "ip6", unix.NFPROTO_INET: "inet",
		unix.NFPROTO_ARP: "arp", unix.NFPROTO_BRIDGE: "bridge", unix.NFPROTO_NETDEV: "netdev",
	}
	var all []Found
	for _, m := range messages {
		if name, ok := attribute(m, unix.NFTA_TABLE_NAME); ok {
			flags, ok := attribute(m, unix.NFTA_TABLE_FLAGS)
			dormant := ok && len(flags) == 4 && binary.BigEndian.Uint32(flags)&unix.NFT_TABLE_F_DORMANT != 0
			all = append(all, Found{ID{families[m[0]], unix.ByteSliceToString(name)}, dormant})
		}
	}
	return all, nil
}

// Installed looks into the path.
func (*Real) Installed() error {
	if _, err := exec.LookPath("nft"); err != nil {
		return fmt.Errorf("the command nft is not installed: %w", api.ErrUnsupported)
	}
	return nil
}

// Command runs nft, and says what it complains of in its first words.
func (r *Real) Command(ctx context.Context, input string, args ...string) ([]byte, error) {
	if err := r.Installed(); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "nft", args...)
	cmd.Env = append(cmd.Environ(), "LC_ALL=C")
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	pipe, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("run nft: %w", kernel.Explain(err))
	}
	r.note(cmd.Process.Pid) // before it has its text, so that no announcement comes first
	_, _ = pipe.Write([]byte(input))
	_ = pipe.Close()
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("nft %s: %w", strings.Join(args, " "), explainComplaint(err, complaint.String()))
	}
	return out.Bytes(), nil
}

func (r *Real) note(pid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.own = append(r.own, pid)
	r.own = r.own[max(0, len(r.own)-ownKept):]
}

// Made reports whether a process is one that this one started to run nft.
func (r *Real) Made(pid int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.own, pid)
}

// explainComplaint gives what nft says the kind of the kernel's error in it.
func explainComplaint(err error, complaint string) error {
	first, _, _ := strings.Cut(strings.TrimSpace(complaint), "\n")
	for _, errno := range []syscall.Errno{unix.EPERM, unix.EACCES, unix.EOPNOTSUPP, unix.EPROTONOSUPPORT, unix.ENOENT, unix.EBUSY, unix.EINVAL} {
		if strings.Contains(strings.ToLower(complaint), errno.Error()) {
			return fmt.Errorf("%s: %w", first, kernel.Explain(errno))
		}
	}
	if first == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, first)
}
