package docker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// activation keeps us from starting an engine. Where systemd has docker.socket, that listens
// while the engine is stopped, and starts it for whoever connects; a connection made while
// the engine ends does so once it has ended, even if given up before (systemd.socket(5)).
// An operator who stops Docker must find it stopped. So nobody connects to that socket unless
// dockerd runs, nor to one that hung up and may be about to end.
type activation struct {
	root string // of the file system, "/" but in tests

	mu     sync.Mutex // guards what follows
	hungUp string     // process id of the dockerd that hung up last
	at     time.Time  // when it did
}

// ending is how long a dockerd takes to end at most: systemd kills after that time
// (TimeoutStopSec is 90 s by default).
const ending = 90 * time.Second

var (
	errStopped = errors.New("dockerd does not run, and systemd would start it for a caller")
	errEnding  = errors.New("dockerd hung up and may be about to end, and systemd would start it again for a caller")
)

// permit says whether one may connect to a socket.
func (a *activation) permit(socket string) error {
	if !a.activated(socket) {
		return nil
	}
	pid := a.dockerd(socket)
	if pid == "" {
		return errStopped
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if pid == a.hungUp && time.Since(a.at) < ending {
		return fmt.Errorf("process %s: %w", pid, errEnding)
	}
	return nil
}

// lost is told when the dockerd with this process id hung up.
func (a *activation) lost(pid string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hungUp, a.at = pid, time.Now()
}

// activated reports whether the socket may be one that systemd listens at.
func (a *activation) activated(socket string) bool {
	if !slices.Contains([]string{a.path("run/docker.sock"), a.path("var/run/docker.sock")}, socket) {
		return false
	}
	_, err := os.Stat(a.path("run/systemd/system")) // as sd_booted(3) tells
	return err == nil
}

// dockerd is the process id of a running dockerd, empty if there is none, or if a call would
// start none. The pid file is elsewhere where the operator wants it so; then all processes
// are looked at.
func (a *activation) dockerd(socket string) string {
	if !a.activated(socket) {
		return ""
	}
	if content, err := os.ReadFile(a.path("run/docker.pid")); err == nil {
		if pid := strings.TrimSpace(string(content)); a.isDockerd(pid) {
			return pid
		}
	}
	processes, _ := os.ReadDir(a.path("proc")) // unreadable, it has none
	for _, p := range processes {
		if _, err := strconv.Atoi(p.Name()); err == nil && a.isDockerd(p.Name()) {
			return p.Name()
		}
	}
	return ""
}

func (a *activation) isDockerd(pid string) bool {
	name, err := os.ReadFile(a.path("proc", pid, "comm"))
	return err == nil && strings.TrimSpace(string(name)) == "dockerd"
}

func (a *activation) path(parts ...string) string {
	return filepath.Join(a.root, filepath.Join(parts...))
}
