package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// The engine's options that make it accept marks: the first takes away the drops that no
// mark gets past, the second names the mark. Engines that write nftables know both; none
// takes them without a restart, whatever it says when told to reload.
const (
	optionDirect = "allow-direct-routing"
	optionMark   = "bridge-accept-fwmark"
)

// restartTimeout is how long the command may take that restarts the engine.
const restartTimeout = 2 * time.Minute

// enrolment is what was changed of the engine's options. It is remembered until Docker's own
// table shows that the engine goes by them no more.
type enrolment struct {
	Path      string  `json:"path"`
	Former    *string `json:"former"`              // content before; nil if there was no file
	Left      string  `json:"left"`                // content as we left it
	Mark      bool    `json:"mark,omitempty"`      // the mark is ours as well
	Restarted bool    `json:"restarted,omitempty"` // the engine was restarted for it, or that was tried
}

// planEngine sets the options and restarts the engine, with the operator's leave, which is
// the command for it, and once: what the engine does not take the first time, it will not
// take the second. It does so for subnets that are served only, and while the engine is there
// to be asked: one that was stopped, or just starts, is not started by us.
func (h *Host) planEngine(ctx context.Context, w host.Wish) ([]host.Step, error) {
	if h.opts.RestartEngine == "" || h.opts.DaemonConfig == "" || w.Incomplete || len(w.Locals) == 0 || slices.Contains(w.Leave, host.PartNative) {
		return nil, nil
	}
	d, err := h.readDocker()
	if err != nil {
		return nil, err
	}
	if d.bridges == 0 || d.native.Marks() || h.opts.Engine != nil && (!h.asking.known || h.asking.err != nil) {
		return nil, nil
	}
	if e := h.mem.Engine; e != nil && e.Restarted {
		return nil, fmt.Errorf("have dockerd accept marks: it was restarted for %q and %q in %s and does not: look there and into its log; it is not restarted again before a cleanup: %w",
			optionDirect, optionMark, e.Path, api.ErrRefused)
	}
	e, now, err := h.enrol(ctx, d.native)
	if err != nil {
		return nil, err
	}
	if h.planned[ipForward].Value != "1" {
		if err := forwards(); err != nil {
			return nil, err
		}
	}
	guards, err := h.planGuards(d)
	if err != nil {
		return nil, err
	}
	steps := append([]host.Step{{Do: func(context.Context) error { return h.rememberEngine(e) }}}, guards...)
	return append(steps,
		host.NewStep(host.KindFile, e.Path+" has dockerd accept marks", optionsText(e.Path, now, &e.Left), func(context.Context) error { return writeDaemonConfig(e.Path, &e.Left) }),
		host.NewStep(host.KindEngine, "dockerd restarted", h.opts.RestartEngine, func(ctx context.Context) error { return h.restartEnrolled(ctx, e) })), nil
}

func (h *Host) rememberEngine(e enrolment) error {
	return h.remember(func(m *memory) { m.Engine = &e })
}

// enrol says what is to become of the file, and what it has now. What is former is never
// older than what others wrote there since.
func (h *Host) enrol(ctx context.Context, n *host.Native) (e enrolment, now *string, err error) {
	path, now, err := readDaemonConfig(h.opts.DaemonConfig)
	if err != nil {
		return e, nil, err
	}
	e = enrolment{Path: path, Former: now}
	if m := h.mem.Engine; m != nil && m.Path == path {
		if e.Former, err = m.back(now); err != nil {
			return e, nil, fmt.Errorf("set dockerd's options in %s: %w", path, err)
		}
	}
	before := &daemonConfig{}
	if now != nil {
		before, err = parseDaemonConfig([]byte(*now))
	}
	var after *daemonConfig
	if err == nil {
		after, err = h.enrolled(ctx, before, n)
	}
	if err != nil {
		return e, nil, fmt.Errorf("set dockerd's options in %s: %w", path, err)
	}
	if bytes.Equal(before.text, after.text) {
		return e, nil, fmt.Errorf("have dockerd accept marks: %s says so, and dockerd was not restarted since: restart it: %w", path, api.ErrRefused)
	}
	for _, name := range []string{optionDirect, optionMark} {
		if flagged(name) && before.get(name) == "" && after.get(name) != "" {
			return e, nil, fmt.Errorf("have dockerd accept marks: it was started with --%s and does not start if %s has that too: give it both --%s and --%s, or neither: %w",
				name, path, optionDirect, optionMark, api.ErrRefused)
		}
	}
	e.Left, e.Mark = string(after.text), before.get(optionMark) != after.get(optionMark)
	return e, now, nil
}

// enrolled is the file's content with the options. A mark that dockerd already accepts, by
// the file or by its command line, stays: given both ways, dockerd would not start.
func (h *Host) enrolled(ctx context.Context, c *daemonConfig, n *host.Native) (*daemonConfig, error) {
	if len(c.text) == 0 {
		c, _ = parseDaemonConfig(nil)
	}
	var err error
	if c.get(optionDirect) != "true" {
		c, err = c.set(optionDirect, "true")
	}
	if err != nil || n.Mask != 0 || c.get(optionMark) != "" {
		return c, err
	}
	used, err := h.usedMarks(ctx)
	if err != nil {
		return nil, err
	}
	bit := freeMark(used)
	if bit == 0 {
		return nil, fmt.Errorf("choose a mark: the host's rules use every bit of it: %w", api.ErrRefused)
	}
	return c.set(optionMark, strconv.Quote(fmt.Sprintf("%#x/%#[1]x", bit)))
}

// restartEnrolled restarts the engine. If that fails, the file is put back and the engine
// started without the options: it must not stay down because of us.
func (h *Host) restartEnrolled(ctx context.Context, e enrolment) error {
	e.Restarted = true
	if err := h.rememberEngine(e); err != nil {
		return err
	}
	err := h.restart(ctx)
	if err == nil {
		return nil
	}
	return errors.Join(err, writeDaemonConfig(e.Path, e.Former), h.restart(ctx))
}

// restart runs the operator's command, to its end also if the agent is told to stop: an
// engine half restarted is one that is down.
func (h *Host) restart(ctx context.Context) error {
	if err := forwards(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), restartTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", h.opts.RestartEngine)
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true} // what is typed at a terminal is not for it
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	cmd.WaitDelay = time.Second // for what the command left behind with its output
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("restart dockerd with %q: %w: %s", h.opts.RestartEngine, err, bytes.TrimSpace(out))
	}
	return nil
}

// forwards refuses a restart that dockerd would not come back from: with its nftables backend
// it does not start while forwarding is off.
func forwards() error {
	on, err := readSysctl(ipForward)
	if err == nil && on != "1" {
		err = fmt.Errorf("restart dockerd: net.ipv4.ip_forward is %s, with which it does not start: set it to 1: %w", on, api.ErrRefused)
	}
	return err
}

// undoEngine puts the file back. If somebody changed it since, only what we set in it. The
// engine goes on with what it was started with until it is restarted; until then, what stands
// in for its own drops stays, and so does the memory.
func (h *Host) undoEngine(context.Context) ([]host.Step, error) {
	if h.mem.Engine == nil {
		return nil, nil
	}
	e := *h.mem.Engine
	_, now, err := readDaemonConfig(e.Path)
	if err != nil {
		return nil, err
	}
	back, err := e.back(now)
	if err != nil {
		return nil, fmt.Errorf("put dockerd's options in %s back: %w", e.Path, err)
	}
	d, err := h.readDocker()
	if err != nil {
		return nil, err
	}
	var steps []host.Step
	if !sameContent(now, back) {
		e.Restarted = false // for these options; should an agent come back, it may set them again
		steps = append(steps, host.Step{Do: func(context.Context) error { return h.rememberEngine(e) }},
			host.NewStep(host.KindFile, e.Path+" put back", optionsText(e.Path, now, back), func(context.Context) error { return writeDaemonConfig(e.Path, back) }))
	}
	if e.inForce(d) {
		if h.opts.RestartEngine == "" {
			return steps, e.owed()
		}
		steps = append(steps, host.NewStep(host.KindEngine, "dockerd restarted", h.opts.RestartEngine, func(ctx context.Context) error {
			return h.restartFreed(ctx, e)
		}))
	}
	h.freed = true
	return append(steps, host.Step{Do: func(context.Context) error {
		return h.remember(func(m *memory) { m.Engine = nil })
	}}), nil
}

// restartFreed restarts the engine, and wants it to be without our options then.
func (h *Host) restartFreed(ctx context.Context, e enrolment) error {
	if err := h.restart(ctx); err != nil {
		return errors.Join(err, e.owed())
	}
	d, err := h.readDocker()
	if err == nil && e.Mark && e.inForce(d) {
		err = e.owed()
	}
	return err
}

// inForce reports whether dockerd may go by our options, as far as its table tells. It drops
// nothing of what is addressed to a container then; nor does it without containers, so that
// the mark tells more, if it is ours.
func (e enrolment) inForce(d *dockerTable) bool {
	return d.native != nil && !d.native.Drops && (!e.Mark || d.starting() || d.native.Mask != 0)
}

func (e enrolment) owed() error {
	return fmt.Errorf("dockerd was started with %q and goes by it until it is restarted; up to then table %s keeps others away from containers: restart Docker, then run cleanup again: %w",
		optionDirect, markTable, api.ErrRefused)
}

// back is the content to put back, given the content now; nil for no file.
func (e enrolment) back(now *string) (*string, error) {
	if now == nil {
		return nil, nil // somebody removed it, and its former content with it
	}
	if *now == e.Left {
		return e.Former, nil
	}
	have, err := parseDaemonConfig([]byte(*now))
	if err != nil {
		return nil, err
	}
	left, err := parseDaemonConfig([]byte(e.Left))
	if err != nil {
		return nil, err
	}
	former := &daemonConfig{}
	if e.Former != nil {
		if former, err = parseDaemonConfig([]byte(*e.Former)); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{optionMark, optionDirect} {
		was := former.get(name)
		if have.get(name) != left.get(name) || was == left.get(name) {
			continue // it is not ours, or not ours any more
		}
		if was == "" {
			have, err = have.drop(name)
		} else {
			have, err = have.set(name, was)
		}
		if err != nil {
			return nil, err
		}
	}
	text := string(have.text)
	return &text, nil
}

// optionsText is the command that makes the change of a file. It shows our options only: the
// others may hold passwords, as those of proxies do.
func optionsText(path string, from, to *string) string {
	switch {
	case to == nil:
		return "rm " + path
	case from == nil:
		return fmt.Sprintf("cat >%s <<'END'\n%s\nEND", path, strings.TrimSuffix(*to, "\n"))
	}
	var filters []string
	before, err := parseDaemonConfig([]byte(*from))
	after, failure := parseDaemonConfig([]byte(*to))
	if err != nil || failure != nil {
		return "# change " + path
	}
	for _, name := range []string{optionDirect, optionMark} {
		switch value := after.get(name); {
		case value == before.get(name):
		case value == "":
			filters = append(filters, fmt.Sprintf("del(.%q)", name))
		default:
			filters = append(filters, fmt.Sprintf(".%q = %s", name, value))
		}
	}
	return fmt.Sprintf("jq '%s' %[2]s >%[2]s.new && mv %[2]s.new %[2]s", strings.Join(filters, " | "), path)
}
