package lab

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/deploy/lab/netns"
	"github.com/sealane/sealane/deploy/lab/probe"
)

func onHost(t *testing.T, l *Lab, h Host, argv ...string) string {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := l.Inventory().Run(h, cmd); err != nil {
		t.Fatalf("%s on %s: %v\n%s", strings.Join(argv, " "), h.Name, err, out.String())
	}
	return out.String()
}

func TestEnginesFindTheHostAsToldTo(t *testing.T) {
	l := up(t, Options{Name: "t9", Engine: EngineDocker, Engines: []HostEngine{{IPTables: "legacy"}, {IPTables: "nft", Forwarding: true}}})
	for i, want := range []string{"-P FORWARD DROP", "-P FORWARD ACCEPT"} {
		h := l.Inventory().Hosts[i]
		if version := onHost(t, l, h, "iptables", "--version"); strings.Contains(version, "legacy") != (i == 0) {
			t.Errorf("%s: %s", h.Name, version)
		}
		rules := onHost(t, l, h, "iptables", "-S")
		if !strings.Contains(rules, want) || !strings.Contains(rules, "-N DOCKER-USER") {
			t.Errorf("%s has not %q and Docker's chains:\n%s", h.Name, want, rules)
		}
	}
}

func TestOutsiderAndHostsAnswerEachOther(t *testing.T) {
	l := up(t, Options{Name: "t10", Engine: EngineNetns, Hosts: 1, Outsider: true})
	v := l.Inventory()
	if err := probe.Ping(t.Context(), netns.Path(v.Outsider.Namespace), v.Hosts[0].IP); err != nil {
		t.Error(err)
	}
	seen, err := probe.Exchange(t.Context(), netns.Path(v.Hosts[0].Namespace), v.Outsider.IP)
	if err != nil || seen != v.Hosts[0].IP {
		t.Errorf("the outsider sees %v, want %s: %v", seen, v.Hosts[0].IP, err)
	}
}

func TestEnginesOfHostsAreChecked(t *testing.T) {
	for _, o := range []Options{
		{Engines: []HostEngine{{}}}, // engine auto
		{Engine: EngineDocker, Engines: []HostEngine{{Root: "roots/x"}}},
		{Engine: EngineDocker, Engines: []HostEngine{{IPTables: "ipchains"}}},
	} {
		if _, err := o.withDefaults(); !errors.Is(err, api.ErrUsage) {
			t.Errorf("%+v: %v", o.Engines, err)
		}
	}
}
