package state

import (
	"fmt"
	"os"
	"strings"
)

// place names this boot of this network namespace.
func place() (string, error) {
	boot, err := BootID()
	if err != nil {
		return "", err
	}
	ns, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		return "", fmt.Errorf("read the network namespace: %w", err)
	}
	return boot + " " + ns, nil
}

// BootID names this boot of the machine.
func BootID() (string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read the boot id: %w", err)
	}
	return strings.TrimSpace(string(boot)), nil
}

// Whole reports whether this process is in the machine's own network namespace, not in one
// that it was put into: files in /etc then hold for the host.
func Whole() bool {
	own, err := os.Readlink("/proc/thread-self/ns/net")
	first, denied := os.Readlink("/proc/1/ns/net")
	return err == nil && denied == nil && own == first
}
