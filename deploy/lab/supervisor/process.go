// Package supervisor starts, watches and ends the processes of a lab.
package supervisor

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

// Supervisor starts children from one operating system thread that lives as long as the lab:
// the kernel sends the parent-death signal when the starting thread ends, not when the
// process does (prctl(2), PR_SET_PDEATHSIG).
type Supervisor struct {
	mark   string // in the environment of every child
	starts chan func()
}

// New gives a supervisor whose children all have mark, of the form NAME=VALUE, in their
// environment. The caller closes it.
func New(mark string) *Supervisor {
	s := &Supervisor{mark: mark, starts: make(chan func())}
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this goroutine
		for start := range s.starts {
			start()
		}
	}()
	return s
}

// Close ends the thread; children that are still there get their parent-death signal.
func (s *Supervisor) Close() { close(s.starts) }

// Command says what to start, and where.
type Command struct {
	Name    string // for messages
	Argv    []string
	Env     []string // added to what every child gets, see Environ
	Netns   string   // name of the network namespace it runs in
	Log     string   // file that its output is appended to
	Private bool     // give it a mount namespace of its own
}

// Process is a child in a process group of its own.
type Process struct {
	command Command
	cmd     *exec.Cmd
	done    chan struct{} // closed when it has ended
	asked   atomic.Bool   // it was sent a signal to end
}

// PID is its number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when it has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// EndWasAsked reports whether it was sent a signal to end.
func (p *Process) EndWasAsked() bool { return p.asked.Load() }

// IsRunning reports whether it has not ended yet.
func (p *Process) IsRunning() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// StartProcess starts a command. The child gets SIGTERM when this process dies.
func (s *Supervisor) StartProcess(ctx context.Context, c Command) (*Process, error) {
	if err := os.MkdirAll(filepath.Dir(c.Log), 0o755); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	log, err := os.OpenFile(c.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	defer func() { _ = log.Close() }()
	// The context of the start does not end a part: Stop does, or the parent-death signal.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), c.Argv[0], c.Argv[1:]...)
	p := &Process{command: c, cmd: cmd, done: make(chan struct{})}
	p.cmd.Env = slices.Concat(Environ(), []string{s.mark}, c.Env)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if c.Private {
		p.cmd.SysProcAttr.Unshareflags = syscall.CLONE_NEWNS
	}
	if err := s.startOnThread(p); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is told by Ended
		close(p.done)
	}()
	return p, nil
}

// Environ is as much of the environment as a child may see: not the user's keys to a real
// cloud, not a proxy, not a setting of some other cluster.
func Environ() []string {
	var kept []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			kept = append(kept, name+"="+value)
		}
	}
	return kept
}

// startOnThread starts the process on the supervisor's thread, which visits the namespace for that.
func (s *Supervisor) startOnThread(p *Process) error {
	result := make(chan error, 1)
	s.starts <- func() {
		result <- netns.Inside(netns.Path(p.command.Netns), p.cmd.Start)
	}
	return <-result
}

// Ended tells how the process ended and what it said last.
func (p *Process) Ended() error {
	return fmt.Errorf("%s ended: %s; last lines of its log:\n%s", p.command.Name, p.cmd.ProcessState, LastLines(p.command.Log, 8))
}

// Await asks ready until it gives nil. It gives up when the process or the context ends.
func (p *Process) Await(ctx context.Context, ready func(context.Context) error) error {
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
			return p.Ended()
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w (%w); last lines of its log:\n%s", p.command.Name, context.Cause(ctx), failure, LastLines(p.command.Log, 8))
		}
	}
}

// Stop asks the process to end and makes it end when it takes longer than grace.
func (p *Process) Stop(grace time.Duration) {
	_ = p.Signal(syscall.SIGCONT) // a stopped process would not hear
	_ = p.Signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // the group: children of its own, too
	<-p.done
}

// Signal sends a signal.
func (p *Process) Signal(sig syscall.Signal) error {
	if sig != syscall.SIGSTOP && sig != syscall.SIGCONT {
		p.asked.Store(true)
	}
	err := p.cmd.Process.Signal(sig)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %s to %s: %w", sig, p.command.Name, err)
	}
	return nil
}

// LastLines is the last lines of a file, for error messages.
func LastLines(path string, lines int) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimSpace(raw), []byte("\n"))
	return "  " + strings.ReplaceAll(string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n"))), "\n", "\n  ")
}
