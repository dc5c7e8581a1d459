package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestImports holds the operator's tool small: it talks to a controller and to etcd, and
// neither touches a kernel nor holds a cloud.
func TestImports(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatalf("list what the command imports: %v", err)
	}
	packages := strings.Fields(string(out))
	if len(packages) < 50 {
		t.Fatalf("only %d packages listed", len(packages))
	}
	for _, p := range packages {
		for _, not := range []string{
			"github.com/sealane/sealane/agent", "github.com/sealane/sealane/controller",
			"github.com/sealane/sealane/cloud", "github.com/sealane/sealane/deploy",
			"github.com/vishvananda/", "github.com/google/nftables", "github.com/coreos/go-iptables",
			"github.com/cilium/ebpf", "github.com/aliyun/", "go.etcd.io/etcd/server", "gopkg.in/yaml", "go.yaml.in/",
		} {
			if strings.HasPrefix(p, not) {
				t.Errorf("imports %s", p)
			}
		}
	}
}
