package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

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

// enrolment is what was changed of the engine's options.
type enrolment struct {
	Path      string  `json:"path"`
	Former    *string `json:"former"`              // content before; nil if there was no file
	Left      string  `json:"left"`                // content as we left it
	Restarted bool    `json:"restarted,omitempty"` // the engine was restarted for it, or that was tried
}

// planEngine sets the options and restarts the engine, with the operator's leave, which is
// the command for it, and once: what the engine does not take the first time, it will not
// take the second.
func (h *Host) planEngine(ctx context.Context, _ Wish) ([]Step, error) {
	if len(h.opts.RestartEngine) == 0 || h.opts.DaemonConfig == "" {
		return nil, nil
	}
	d, err := h.readDocker()
	if err != nil {
		return nil, err
	}
	if d.native == nil || d.native.Marks() {
		return nil, nil
	}
	if e := h.mem.Engine; e != nil && e.Restarted {
		return nil, fmt.Errorf("have dockerd accept marks: it was restarted for %q and %q in %s and does not: look there and into its log; it is not restarted again before a cleanup: %w",
			optionDirect, optionMark, e.Path, api.ErrRefused)
	}
	path, former, err := readDaemonConfig(h.opts.DaemonConfig)
	if err != nil {
		return nil, err
	}
	left, err := h.enrolled(ctx, path, former, d.native)
	if err != nil {
		return nil, err
	}
	e := enrolment{Path: path, Former: former, Left: left}
	if h.mem.Engine != nil {
		e.Former = h.mem.Engine.Former // a crash came between the file and the restart
	}
	steps := []Step{{do: func(context.Context) error { return h.rememberEngine(e) }}}
	if former == nil || *former != left {
		steps = append(steps, step(KindFile, path+" has dockerd accept marks", optionsText(path, former, &left),
			func(context.Context) error { return writeDaemonConfig(path, &left) }))
	}
	return append(steps, step(KindEngine, "dockerd restarted", strings.Join(h.opts.RestartEngine, " "), func(ctx context.Context) error {
		return h.restartEnrolled(ctx, e)
	})), nil
}

func (h *Host) rememberEngine(e enrolment) error {
	return h.remember(func(m *memory) { m.Engine = &e })
}

// enrolled is the file's content with the options. A mark that dockerd already accepts, by
// the file or by its command line, stays: given both ways, dockerd would not start.
func (h *Host) enrolled(ctx context.Context, path string, former *string, n *Native) (string, error) {
	text := ""
	if former != nil {
		text = *former
	}
	c, err := parseDaemonConfig([]byte(text))
	if err == nil && c.get(optionDirect) != "true" {
		c, err = c.set(optionDirect, "true")
	}
	if err == nil && n.Mask == 0 && c.get(optionMark) == "" {
		used, failure := h.usedMarks(ctx)
		if failure != nil {
			return "", failure
		}
		bit := freeMark(used)
		if bit == 0 {
			return "", fmt.Errorf("choose a mark: the host's rules use every bit of it: %w", api.ErrRefused)
		}
		c, err = c.set(optionMark, strconv.Quote(fmt.Sprintf("%#x/%#[1]x", bit)))
	}
	if err != nil {
		return "", fmt.Errorf("set dockerd's options in %s: %w", path, err)
	}
	return string(c.text), nil
}

// restartEnrolled restarts the engine. If that fails, the file is put back and the engine
// started without the options: it must not stay down because of us.
func (h *Host) restartEnrolled(ctx context.Context, e enrolment) error {
	e.Restarted = true
	if err := h.rememberEngine(e); err != nil {
		return err
	}
	err := h.restart(ctx)
	if err == nil || ctx.Err() != nil {
		return err
	}
	return errors.Join(err, writeDaemonConfig(e.Path, e.Former), h.restart(ctx))
}

func (h *Host) restart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, restartTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, h.opts.RestartEngine[0], h.opts.RestartEngine[1:]...)
	cmd.WaitDelay = time.Second // for what the command left behind with its output
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("restart dockerd with %q: %w: %s", strings.Join(h.opts.RestartEngine, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// undoEngine puts the file back. If somebody changed it since, only what we set in it. The
// engine goes on with what it was started with until it is restarted.
func (h *Host) undoEngine(context.Context) ([]Step, error) {
	e := h.mem.Engine
	if e == nil {
		return nil, nil
	}
	_, now, err := readDaemonConfig(e.Path)
	if err != nil {
		return nil, err
	}
	back, err := e.back(now)
	if err != nil {
		return nil, fmt.Errorf("put dockerd's options in %s back: %w", e.Path, err)
	}
	var steps []Step
	if !sameContent(now, back) {
		what := e.Path + " put back"
		restart := e.Restarted && len(h.opts.RestartEngine) > 0
		if e.Restarted && !restart {
			what += "; dockerd goes by it when it is restarted next, so restart it"
		}
		steps = append(steps, step(KindFile, what, optionsText(e.Path, now, back), func(context.Context) error { return writeDaemonConfig(e.Path, back) }))
		if restart {
			steps = append(steps, step(KindEngine, "dockerd restarted", strings.Join(h.opts.RestartEngine, " "), h.restart))
		}
	}
	return append(steps, Step{do: func(context.Context) error {
		return h.remember(func(m *memory) { m.Engine = nil })
	}}), nil
}

// back is the content to put back, given the content now.
func (e enrolment) back(now *string) (*string, error) {
	if now == nil || *now == e.Left {
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

func sameContent(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

// readDaemonConfig reads the file where it really is; content nil: there is none.
func readDaemonConfig(path string) (where string, content *string, err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil, nil
	}
	if err != nil {
		return path, nil, fmt.Errorf("read dockerd's options: %w", hint(err))
	}
	text := string(data)
	return path, &text, nil
}

// writeDaemonConfig makes it durable that the file has this content, with its mode kept; nil
// removes it.
func writeDaemonConfig(path string, content *string) error {
	if content == nil {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove dockerd's options: %w", hint(err))
		}
		return nil
	}
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = writeDurably(path, []byte(*content), mode)
	}
	if err != nil {
		return fmt.Errorf("write dockerd's options: %w", hint(err))
	}
	return nil
}
