package netns

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// TestRemoveBesideOthers has somebody else make a namespace with ip, after ours: ours can still
// be removed. It has a mount namespace of its own, in which nobody has made any before.
func TestRemoveBesideOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs ip: not found")
	}
	const child = "SEALANE_TEST_NETNS"
	if os.Getenv(child) == "" {
		again := exec.CommandContext(t.Context(), "unshare", "--mount", "--propagation", "private", "sh", "-ec",
			`mount -t tmpfs tmpfs /run; exec "$0" -test.run TestRemoveBesideOthers -test.v`, os.Args[0])
		again.Env = append(os.Environ(), child+"=1")
		if out, err := again.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	ours, theirs := fmt.Sprintf("sl-test-%d", os.Getpid()), fmt.Sprintf("other-%d", os.Getpid())
	if err := Make(ours); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "ip", "netns", "add", theirs).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, name := range []string{ours, theirs} {
		if err := Remove(name); err != nil {
			t.Error(err)
		}
	}
}
