package nft

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

const lacksErrno = syscall.EINVAL

// namespace gives the test a network of its own.
func namespace(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	if err := (&Real{}).Installed(); err != nil {
		t.Skip(err)
	}
	runtime.LockOSThread() // the thread ends with the test, and the network with it
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
}

func shell(t *testing.T, command string) {
	t.Helper()
	out, err := exec.Command("sh", "-ec", command).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
}

// TestReal writes a table and reads it back as another client does, member by member.
func TestReal(t *testing.T) {
	namespace(t)
	c := New(&Real{})
	if err := c.Absent(); err != nil {
		t.Fatal(err)
	}
	bring := func(members ...string) []string {
		t.Helper()
		table := example(members...)
		have, err := c.Read(t.Context(), table.ID())
		if err != nil {
			t.Fatal(err)
		}
		var commands []string
		for _, s := range c.Write(host.KindSource, "", table, have) {
			commands = append(commands, s.Command)
			if err := s.Do(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		read, err := New(&Real{}).Read(t.Context(), table.ID())
		if diff := cmp.Diff(table.state(), read, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" || err != nil {
			t.Errorf("read otherwise than written, %v (-want +have):\n%s", err, diff)
		}
		return commands
	}
	for _, members := range [][]string{
		{"10.0.0.0/24"},
		{"10.0.0.0/24", "10.0.1.0/24", "10.0.1.7/32", "10.3.0.1/32", "255.255.255.0/24"},
		{"10.0.0.0/23"},
		{"10.0.0.0/25", "10.0.1.128/25", "0.0.0.0/8"},
		{},
	} {
		bring(members...)
		if again := bring(members...); len(again) > 0 {
			t.Errorf("%v: again %q", members, again)
		}
	}
	shell(t, "nft add rule ip ours post accept")
	if again := bring(); len(again) != 1 {
		t.Errorf("damaged: mended by %q", again)
	}
	all, err := c.Tables()
	if err != nil || !slices.Equal(all, []Found{{ID: ID{"ip", "ours"}}}) {
		t.Errorf("tables %v, %v", all, err)
	}
	if err := c.Check(t.Context(), "add rule ip ours post ip saddr @none accept"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("a set that is not there: %v", err)
	}
	removal, err := c.Remove(host.KindSource, "", ID{"ip", "ours"})
	if err != nil || len(removal) != 1 {
		t.Fatalf("%d steps, %v", len(removal), err)
	}
	if err := removal[0].Do(t.Context()); err != nil {
		t.Error(err)
	}
	if there, err := c.Has(ID{"ip", "ours"}); there || err != nil {
		t.Errorf("there %t, %v", there, err)
	}
	t.Setenv("PATH", "/nowhere")
	if err := c.Absent(); !errors.Is(err, api.ErrUnsupported) {
		t.Errorf("without the command: %v", err)
	}
}

// TestAnnounced counts the transactions that the kernel announces: each once, whatever the
// table, and ours as ours.
func TestAnnounced(t *testing.T) {
	namespace(t)
	group, err := nl.Subscribe(unix.NETLINK_NETFILTER, Group)
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	r := &Real{}
	c := New(r)
	var table string
	for n := range 10 {
		table = fmt.Sprintf("t%d", n)
		shell(t, "nft add table inet "+table+"; nft -f - <<'END'\nadd chain inet "+table+" x { type filter hook forward priority 0; policy drop; }\nadd rule inet "+table+" x drop\nEND")
		if err := c.Run(t.Context(), "add table ip "+table); err != nil {
			t.Fatal(err)
		}
	}
	last, err := r.Generation()
	if err != nil {
		t.Fatal(err)
	}
	var foreign, own int
	for done := false; !done; {
		messages, _, err := group.Receive()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			change, ends := ReadTransaction(m)
			if !ends {
				continue
			}
			if change.Command != "nft" {
				t.Errorf("made by %q", change.Command)
			}
			if r.Made(change.PID) {
				own++
			} else {
				foreign++
			}
			done = done || change.Generation == last
		}
	}
	if foreign != 20 || own != 10 {
		t.Errorf("%d of others and %d of ours, want 20 and 10", foreign, own)
	}
}
