// Package dockerd sets the options of dockerd that have it accept marked packets, in its
// configuration file, and restarts it for them, with the operator's leave. It is about engines
// that keep their rules in nftables.
package dockerd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/state"
	"github.com/sealane/sealane/api"
)

// restartTimeout is how long the command may take that restarts the engine.
const restartTimeout = 2 * time.Minute

// Part is dockerd, as far as its options are ours. It is for one goroutine at a time.
type Part struct {
	options     Options
	around      Around
	record      *state.Record[memory]
	engineReset bool // dockerd will go by its former options once the steps planned are done
}

// Options say which dockerd.
type Options struct {
	File    string // its configuration file, changed only with Restart; empty: not known
	Restart string // the command of a shell that restarts it; giving it is the leave to use it
}

// Around is what the part is told of by the rest of the host.
type Around struct {
	Table       func(context.Context) (Table, error)       // what Docker's own nft table says
	Guards      func(context.Context) ([]host.Step, error) // what stands in for Docker's own drops, made ahead of the options
	FreeMark    func(context.Context) (uint32, error)      // a bit of packets' marks that nobody uses; zero if there is none
	Answers     func() bool                                // the engine answered when it was last asked, or is not asked
	Forwards    func() (bool, error)                       // the kernel forwards IPv4
	WillForward func() (bool, error)                       // it does, or will once what is planned is done
}

// Table is what matters of Docker's own nft table.
type Table struct {
	Native   *host.Native // nil without the table
	Bridges  int          // whose chains are in it, but for those of internal networks
	Starting bool         // it is there, and no bridge in it yet
}

// memory is what is remembered of dockerd's options; it outlives a boot.
type memory struct {
	Engine *enrolment `json:"engine,omitempty"`
}

// New returns the part. It reads and changes nothing yet.
func New(store *state.Store, options Options, around Around) *Part {
	lasting := func(former memory) (memory, error) { return former, nil }
	return &Part{options: options, around: around, record: state.NewRecord(store, lasting)}
}

// Begin forgets what was planned and not done. It is called before parts plan or undo.
func (p *Part) Begin() { p.engineReset = false }

// Guarded reports whether dockerd may go by options of ours, or will at its next start, so
// that what stands in for its own drops must stay.
func (p *Part) Guarded() bool { return p.record.Value().Engine != nil }

// Reset reports whether that ends with the steps that were planned.
func (p *Part) Reset() bool { return p.engineReset }

// Direct reports whether dockerd's options have it allow direct routing, or may.
func (p *Part) Direct() bool { return p.says(optionDirect, "true") }

// says reports whether dockerd's file has an option of this value, or may have, since it cannot
// be read.
func (p *Part) says(option, value string) bool {
	if p.options.File == "" {
		return false
	}
	_, text, err := readOptions(p.options.File)
	if err != nil || text == nil {
		return err != nil
	}
	c, err := parseOptions([]byte(*text))
	return err != nil || c.value(option) == value
}

// WritesNoRules reports whether dockerd was told to leave the firewall alone: in its file, or by
// a flag, of which either value is taken for that.
func (p *Part) WritesNoRules() bool { return hasFlag(optionRules) || p.says(optionRules, "false") }

// optionRules is dockerd's option to write rules, on unless it says otherwise.
const optionRules = "iptables"

// Plan sets the options and restarts the engine, with the operator's leave, which is
// the command for it, and once: what the engine does not take the first time, it will not
// take the second. It does so for subnets that are served only, and while the engine is there
// to be asked: one that was stopped, or just starts, is not started by us.
func (p *Part) Plan(ctx context.Context, w host.Wish) ([]host.Step, error) {
	if p.options.Restart == "" || p.options.File == "" || w.Incomplete || len(w.Locals) == 0 || slices.Contains(w.Leave, host.PartNative) {
		return nil, nil
	}
	d, err := p.around.Table(ctx)
	if err != nil {
		return nil, err
	}
	if d.Bridges == 0 || d.Native.Marks() || !p.around.Answers() {
		return nil, nil
	}
	if e := p.record.Value().Engine; e != nil && e.Restarted {
		return nil, fmt.Errorf("have dockerd accept marks: it was restarted for %q and %q in %s and does not: look there and into its log; it is not restarted again before a cleanup: %w",
			optionDirect, optionMark, e.Path, api.ErrRefused)
	}
	e, now, err := p.enrol(ctx, d.Native)
	if err != nil {
		return nil, err
	}
	if err := forwards(p.around.WillForward); err != nil {
		return nil, err
	}
	guards, err := p.around.Guards(ctx)
	if err != nil {
		return nil, err
	}
	steps := append([]host.Step{p.record.RememberStep(func(m *memory) { m.Engine = &e })}, guards...)
	return append(steps,
		host.NewStep(host.KindFile, e.Path+" has dockerd accept marks", optionsText(e.Path, now, &e.Left), func(context.Context) error { return writeOptions(e.Path, &e.Left) }),
		host.NewStep(host.KindEngine, "dockerd restarted", p.options.Restart, func(ctx context.Context) error { return p.restartWith(ctx, e) })), nil
}

// enrol says what is to become of the file, and what it has now. What is former is never
// older than what others wrote there since.
func (p *Part) enrol(ctx context.Context, n *host.Native) (e enrolment, now *string, err error) {
	path, now, err := readOptions(p.options.File)
	if err != nil {
		return e, nil, err
	}
	e = enrolment{Path: path, Former: now}
	if m := p.record.Value().Engine; m != nil && m.Path == path {
		if e.Former, err = m.back(now); err != nil {
			return e, nil, fmt.Errorf("set dockerd's options in %s: %w", path, err)
		}
	}
	before := &options{}
	if now != nil {
		before, err = parseOptions([]byte(*now))
	}
	var after *options
	if err == nil {
		after, err = p.enrolled(ctx, before, n)
	}
	if err != nil {
		return e, nil, fmt.Errorf("set dockerd's options in %s: %w", path, err)
	}
	if bytes.Equal(before.text, after.text) {
		return e, nil, fmt.Errorf("have dockerd accept marks: %s says so, and dockerd was not restarted since: restart it: %w", path, api.ErrRefused)
	}
	for _, name := range []string{optionDirect, optionMark} {
		if hasFlag(name) && before.value(name) == "" && after.value(name) != "" {
			return e, nil, fmt.Errorf("have dockerd accept marks: it was started with --%s and does not start if %s has that too: give it both --%s and --%s, or neither: %w",
				name, path, optionDirect, optionMark, api.ErrRefused)
		}
	}
	e.Left, e.Mark = string(after.text), before.value(optionMark) != after.value(optionMark)
	return e, now, nil
}

// enrolled is the file's content with the options. A mark that dockerd already accepts, by
// the file or by its command line, stays: given both ways, dockerd would not start.
func (p *Part) enrolled(ctx context.Context, c *options, n *host.Native) (*options, error) {
	if len(c.text) == 0 {
		c, _ = parseOptions(nil)
	}
	var err error
	if c.value(optionDirect) != "true" {
		c, err = c.set(optionDirect, "true")
	}
	if err != nil || n.Mask != 0 || c.value(optionMark) != "" {
		return c, err
	}
	bit, err := p.around.FreeMark(ctx)
	if err != nil {
		return nil, err
	}
	if bit == 0 {
		return nil, fmt.Errorf("choose a mark: the host's rules use every bit of it: %w", api.ErrRefused)
	}
	return c.set(optionMark, strconv.Quote(fmt.Sprintf("%#x/%#[1]x", bit)))
}

// restartWith restarts the engine. If that fails, the file is put back and the engine
// started without the options: it must not stay down because of us.
func (p *Part) restartWith(ctx context.Context, e enrolment) error {
	e.Restarted = true
	if err := p.record.Remember(func(m *memory) { m.Engine = &e }); err != nil {
		return err
	}
	err := p.restart(ctx)
	if err == nil {
		return nil
	}
	return errors.Join(err, writeOptions(e.Path, e.Former), p.restart(ctx))
}

// restart runs the operator's command, to its end also if the agent is told to stop: an
// engine half restarted is one that is down.
func (p *Part) restart(ctx context.Context) error {
	if err := forwards(p.around.Forwards); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), restartTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", p.options.Restart)
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true} // what is typed at a terminal is not for it
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	cmd.WaitDelay = time.Second // for what the command left behind with its output
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("restart dockerd with %q: %w: %s", p.options.Restart, err, bytes.TrimSpace(out))
	}
	return nil
}

// forwards refuses a restart that dockerd would not come back from: with its nftables backend
// it does not start while forwarding is off.
func forwards(ask func() (bool, error)) error {
	on, err := ask()
	if err == nil && !on {
		err = fmt.Errorf("restart dockerd: net.ipv4.ip_forward is 0, with which it does not start: set it to 1: %w", api.ErrRefused)
	}
	return err
}

// Undo puts the file back. If somebody changed it since, only what we set in it. The
// engine goes on with what it was started with until it is restarted; until then, what stands
// in for its own drops stays, and so does the memory.
func (p *Part) Undo(ctx context.Context) ([]host.Step, error) {
	if p.record.Value().Engine == nil {
		return nil, nil
	}
	e := *p.record.Value().Engine
	_, now, err := readOptions(e.Path)
	if err != nil {
		return nil, err
	}
	back, err := e.back(now)
	if err != nil {
		return nil, fmt.Errorf("put dockerd's options in %s back: %w", e.Path, err)
	}
	d, err := p.around.Table(ctx)
	if err != nil {
		return nil, err
	}
	var steps []host.Step
	if !sameContent(now, back) {
		e.Restarted = false // for these options; should an agent come back, it may set them again
		steps = append(steps, p.record.RememberStep(func(m *memory) { m.Engine = &e }),
			host.NewStep(host.KindFile, e.Path+" put back", optionsText(e.Path, now, back), func(context.Context) error { return writeOptions(e.Path, back) }))
	}
	if e.inForce(d) {
		if p.options.Restart == "" {
			return steps, e.restartPending()
		}
		steps = append(steps, host.NewStep(host.KindEngine, "dockerd restarted", p.options.Restart, func(ctx context.Context) error {
			return p.restartWithout(ctx, e)
		}))
	}
	p.engineReset = true
	begin := host.Step{Do: func(context.Context) error { p.engineReset = false; return nil }}
	return append(append([]host.Step{begin}, steps...), host.Step{Do: func(context.Context) error {
		err := p.record.Remember(func(m *memory) { m.Engine = nil })
		p.engineReset = err == nil
		return err
	}}), nil
}

// restartWithout restarts the engine, and wants it to be without our options then.
func (p *Part) restartWithout(ctx context.Context, e enrolment) error {
	if err := p.restart(ctx); err != nil {
		return errors.Join(err, e.restartPending())
	}
	d, err := p.around.Table(ctx)
	if err == nil && e.Mark && e.inForce(d) {
		err = e.restartPending()
	}
	return err
}
