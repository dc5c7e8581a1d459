package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sealane/sealane/deploy/lab/netns"
)

// markOf is in the environment of every process of a lab; Down finds them by it.
func markOf(lab string) string { return "SEALANE_LAB=" + lab }

// nursery starts children from one operating system thread that lives as long as the lab:
// the kernel sends the parent-death signal when the starting thread ends, not when the
// process does (prctl(2), PR_SET_PDEATHSIG).
type nursery struct {
	lab    string
	births chan func()
}

func newNursery(lab string) *nursery {
	n := &nursery{lab: lab, births: make(chan func())}
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this goroutine
		for birth := range n.births {
			birth()
		}
	}()
	return n
}

// close ends the thread; children that are still there get their parent-death signal.
func (n *nursery) close() { close(n.births) }

// command says what to start, and where.
type command struct {
	name    string // names it in the log directory and for Signal
	argv    []string
	env     []string // added to what every part gets, see environ
	netns   string   // namespace it runs in
	log     string   // file that its output is appended to
	private bool     // give it a mount namespace of its own
}

// process is a child in a process group of its own.
type process struct {
	command
	cmd   *exec.Cmd
	done  chan struct{} // closed when it has ended
	asked atomic.Bool   // it was sent a signal to end
}

// start starts a command. The child gets SIGTERM when this process dies.
func (n *nursery) start(ctx context.Context, c command) (*process, error) {
	if err := os.MkdirAll(filepath.Dir(c.log), 0o755); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	defer func() { _ = log.Close() }()
	// The context of the start does not end a part: stop does, or the parent-death signal.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), c.argv[0], c.argv[1:]...)
	p := &process{command: c, cmd: cmd, done: make(chan struct{})}
	p.cmd.Env = slices.Concat(environ(), []string{markOf(n.lab)}, c.env)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if c.private {
		p.cmd.SysProcAttr.Unshareflags = syscall.CLONE_NEWNS
	}
	if err := n.birth(p); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is told by ended
		close(p.done)
	}()
	return p, nil
}

// environ is as much of the environment as a part may see: not the user's keys to a real
// cloud, not a proxy, not a setting of some other cluster.
func environ() []string {
	var kept []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			kept = append(kept, name+"="+value)
		}
	}
	return kept
}

// birth starts the process on the nursery's thread, which visits the namespace for that.
func (n *nursery) birth(p *process) error {
	result := make(chan error, 1)
	n.births <- func() {
		result <- netns.Inside(netns.Path(p.netns), p.cmd.Start)
	}
	return <-result
}

// ended tells how the process ended and what it said last.
func (p *process) ended() error {
	return fmt.Errorf("%s ended: %s; last lines of its log:\n%s", p.name, p.cmd.ProcessState, tail(p.log, 8))
}

// await asks ready until it gives nil. It gives up when the process or the context ends.
func (p *process) await(ctx context.Context, ready func(context.Context) error) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		failure := ready(ctx)
		if failure == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.done:
			return p.ended()
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w (%w); last lines of its log:\n%s", p.name, context.Cause(ctx), failure, tail(p.log, 8))
		}
	}
}

// stop asks the process to end and makes it end when it takes longer than grace.
func (p *process) stop(grace time.Duration) {
	_ = p.signal(syscall.SIGCONT) // a stopped process would not hear
	_ = p.signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // the group: children of its own, too
	<-p.done
}

func (p *process) signal(sig syscall.Signal) error {
	if sig != syscall.SIGSTOP && sig != syscall.SIGCONT {
		p.asked.Store(true)
	}
	err := p.cmd.Process.Signal(sig)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %s to %s: %w", sig, p.name, err)
	}
	return nil
}

// tail is the last lines of a file, for error messages.
func tail(path string, lines int) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimSpace(raw), []byte("\n"))
	return "  " + strings.ReplaceAll(string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n"))), "\n", "\n  ")
}
