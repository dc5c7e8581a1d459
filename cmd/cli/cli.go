// Package cli holds what the sealane commands share: running a cobra command to an exit
// code, values from the environment, and the logger.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"regexp"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sealane/sealane/api"
)

// Streams are where a command reads and writes: data to Out, messages to Err. Getenv looks a
// variable up; main passes os.LookupEnv.
type Streams struct {
	Out, Err io.Writer
	Getenv   func(string) (string, bool)
}

// OS returns the process's own streams.
func OS() Streams { return Streams{Out: os.Stdout, Err: os.Stderr, Getenv: os.LookupEnv} }

// Main runs a command until it ends or SIGINT or SIGTERM arrives, and returns the exit code. A
// second signal ends the process at once.
func Main(root *cobra.Command, s Streams, args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return Run(ctx, root, s, args)
}

// Run runs a command and prints its error, if any, to s.Err. The exit code is
// api.ExitCode of the error, or that of an Exit error.
func Run(ctx context.Context, root *cobra.Command, s Streams, args []string) int {
	root.SilenceUsage, root.SilenceErrors = true, true
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	root.SetArgs(args)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w%s; see '%s --help': %w", err, nearestFlag(cmd, err), cmd.CommandPath(), api.ErrUsage)
	})
	prepareCommands(root, s.Getenv)
	err := root.ExecuteContext(ctx)
	var exit Exit
	switch {
	case err == nil:
		return api.ExitOK
	case errors.As(err, &exit):
		return int(exit)
	}
	if strings.HasPrefix(err.Error(), "unknown command") && !errors.Is(err, api.ErrUsage) { // cobra gives this error no type
		err = fmt.Errorf("%w: %w", err, api.ErrUsage)
	}
	for line := range strings.SplitSeq(err.Error(), "\n") { // several problems are one line each
		_, _ = fmt.Fprintf(s.Err, "%s: %s\n", root.Name(), line)
	}
	return api.ExitCode(err)
}

// Exit is an error that only sets the exit code: what there was to say has been said.
type Exit int

func (e Exit) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// prepareCommands makes every command below root take flags from the environment and call wrong
// arguments wrong usage.
func prepareCommands(root *cobra.Command, getenv func(string) (string, bool)) {
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return fromEnvironment(cmd, getenv) }
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		if check := cmd.Args; check != nil {
			cmd.Args = func(c *cobra.Command, args []string) error {
				if err := check(c, args); err != nil {
					return fmt.Errorf("%w; see '%s --help': %w", err, c.CommandPath(), api.ErrUsage)
				}
				return nil
			}
		}
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit(root)
}

// fromEnvironment sets each flag that the command line did not from its variable: --etcd-endpoints
// is SEALANE_ETCD_ENDPOINTS. Flags win over the environment, the environment over defaults.
func fromEnvironment(cmd *cobra.Command, getenv func(string) (string, bool)) error {
	var errs []error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		name := Variable(f.Name)
		value, ok := getenv(name)
		if f.Changed || !ok || f.Name == "help" {
			return
		}
		if err := cmd.Flags().Set(f.Name, value); err != nil {
			errs = append(errs, fmt.Errorf("environment variable %s: %w: %w", name, err, api.ErrUsage))
		}
	})
	return errors.Join(errs...)
}

// Variable is the environment variable of a flag.
func Variable(flag string) string {
	return "SEALANE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// nearestFlag names the flag that was probably meant.
func nearestFlag(cmd *cobra.Command, err error) string {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return ""
	}
	name, best, found := unknown.GetSpecifiedName(), 3, ""
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if d := editDistance(name, f.Name); d < best || (len(name) > 2 && found == "" && strings.HasPrefix(f.Name, name)) {
			best, found = min(d, best), f.Name
		}
	})
	if found == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean --%s?)", found)
}

// editDistance is the Levenshtein distance of two short names.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			above := row[j+1]
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(above+1, row[j]+1, diagonal+cost)
			diagonal = above
		}
	}
	return row[len(b)]
}

// CheckCluster refuses cluster names that would not fit a registry key and the name of a
// route alike.
func CheckCluster(name string) error {
	if !regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`).MatchString(name) {
		return fmt.Errorf("--cluster: %q is not 1 to 40 of a-z, 0-9 and -, starting with a letter: %w", name, api.ErrUsage)
	}
	return nil
}

// Logger builds the logger that --log-level and --log-format ask for.
func Logger(w io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level %q: none of debug, info, warn, error: %w", level, api.ErrUsage)
	}
	options := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, fmt.Errorf("--log-format %q: neither text nor json: %w", format, api.ErrUsage)
}

// Version is the version in the build information: a tag, a commit, or "devel".
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}
