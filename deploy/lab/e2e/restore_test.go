package e2e

import (
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/deploy/lab"
)

// cleanup ends the agent of host 1 and wants the host as it was before it ran.
func cleanup(t *testing.T, c *cluster) {
	c.hangUp(t)
	h := c.host(t, 1)
	if err := c.Signal("agent-h1", syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	c.on(t, h, append([]string{program("sealane-agent"), "cleanup"}, c.AgentFlags(h)...)...)
	if diff := cmp.Diff(c.before, dumps(t, c, h)); diff != "" {
		t.Errorf("not as before (-before +after):\n%s", diff)
	}
	c.on(t, h, append([]string{program("sealane-agent"), "cleanup"}, c.AgentFlags(h)...)...) // once more does nothing
}

// moving is what counts or changes by itself in dumps.
func moving() *regexp.Regexp {
	return regexp.MustCompile(`\[\d+:\d+\]|packets \d+ bytes \d+|(?m)^#.*\n|(?m)^.*(nf_conntrack_count|random/).*\n`)
}

// dumps are a host's firewall and sysctls.
func dumps(t *testing.T, c *cluster, h lab.Host) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for name, argv := range map[string][]string{
		"iptables": {"iptables-save"},
		"nft":      {"nft", "list", "ruleset"},
		"ipset":    {"ipset", "save"},
		"sysctl":   {"sh", "-c", "grep -rs . /proc/sys/net | sort"},
	} {
		if _, err := exec.LookPath(argv[0]); err != nil {
			continue
		}
		all[name] = moving().ReplaceAllString(c.on(t, h, argv...), "")
	}
	return all
}

// watchMachine notes what the machine is like before a lab of this name. What it returns
// fails the test unless the machine is like that again.
func watchMachine(t *testing.T, name string) (same func()) {
	t.Helper()
	settings, things := machineDumps(t), traces(t, name)
	return func() {
		t.Helper()
		// Other tests come and go on this machine; what the lab left would stay.
		eventually(t, 30*time.Second, "the machine is as before the lab", func() bool {
			return cmp.Equal(settings, machineDumps(t)) && len(added(things, traces(t, name))) == 0
		}, func() any {
			return cmp.Diff(settings, machineDumps(t)) + strings.Join(added(things, traces(t, name)), "\n")
		})
	}
}

// machineDumps are the machine's own firewall, routes and forwarding, which a lab neither
// adds to nor takes from. Asking only reads.
func machineDumps(t *testing.T) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for name, argv := range map[string][]string{
		"iptables":   {"iptables-save"},
		"nft":        {"nft", "list", "ruleset"},
		"route":      {"ip", "route", "show", "table", "all"},
		"forwarding": {"cat", "/proc/sys/net/ipv4/ip_forward"},
	} {
		if _, err := exec.LookPath(argv[0]); err != nil {
			continue
		}
		all[name] = moving().ReplaceAllString(output(t, argv...), "")
	}
	return all
}

// traces are what a lab could leave on the machine.
func traces(t *testing.T, name string) []string {
	t.Helper()
	var all []string
	note := func(what string, lines ...string) {
		for _, l := range lines {
			all = append(all, what+": "+l)
		}
	}
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		note("link", l.Name)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	note("mount", grep(string(mounts), "sealane-lab/"+name+"/", "/sl-"+name+"-")...)
	for _, dir := range []string{"/run/netns", "/run/sealane-lab", "/var/lib/sealane-lab", "/sys/fs/cgroup", "/sys/fs/cgroup/memory"} {
		entries, _ := os.ReadDir(dir) // missing is nothing left
		for _, e := range entries {
			if e.Name() == name || e.Name() == "sealane-lab-"+name || strings.HasPrefix(e.Name(), "sl-"+name+"-") {
				note("file", dir+"/"+e.Name())
			}
		}
	}
	note("process", grep(output(t, "ps", "-eo", "args"), "sl-"+name+"-", "sealane-lab/"+name+"/", "sealane-lab-"+name+"/")...)
	return all
}

// added is what is in after and was not before.
func added(before, after []string) []string {
	return slices.DeleteFunc(after, func(line string) bool { return slices.Contains(before, line) })
}

func output(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).Output()
	if err != nil {
		t.Logf("%s: %v", strings.Join(argv, " "), err)
	}
	return string(out)
}

func grep(text string, words ...string) []string {
	return slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(line, w) })
	})
}
