package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sealane/sealane/deploy/lab/netns"
	"github.com/sealane/sealane/deploy/lab/supervisor"
)

// rootScript gives the mount namespace it starts in to one host, and keeps it. What the
// host writes goes to a layer of its own. The root must be a mount, or runc cannot make
// the containers'; the lab's directories keep their paths. The mounts end with the last
// process in the namespace.
const rootScript = `set -e
lower=$1 own=$2 ready=$3
shift 3
mkdir -p "$own/root" "$own/upper" "$own/work"
mount -t overlay -o "lowerdir=$lower,upperdir=$own/upper,workdir=$own/work" overlay "$own/root"
cd "$own/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount --rbind /sys/fs/cgroup sys/fs/cgroup
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
for dir; do
	mkdir -p ".$dir"
	mount --bind "$dir" ".$dir"
done
pivot_root . mnt
umount -l /mnt
: >"$ready"
exec sleep infinity`

// keepRoot gives the host the root file system of its engine and returns the process that
// keeps it.
func (l *Lab) keepRoot(ctx context.Context, h Host) (pid int, err error) {
	run, data := filepath.Join(stateDir(l.opts.Name), h.short()), filepath.Join(dataDir(l.opts.Name), h.short())
	for _, dir := range []string{run, data} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return 0, fmt.Errorf("make the root of %s: %w", h.Name, err)
		}
	}
	ready := filepath.Join(run, "rooted")
	if err := os.Remove(ready); err != nil && !errors.Is(err, fs.ErrNotExist) { // of the root before
		return 0, fmt.Errorf("make the root of %s: %w", h.Name, err)
	}
	p, err := l.startPart(ctx, supervisor.Command{
		Name: partRoot + h.short(), Netns: h.Namespace, Private: true,
		Argv: []string{"/bin/sh", "-c", rootScript, "sh", h.Engine.Root, filepath.Join(data, "own", filepath.Base(h.Engine.Root)), ready, run, data, l.opts.BinDir},
	})
	if err != nil {
		return 0, err
	}
	err = p.Await(ctx, func(context.Context) error {
		_, err := os.Stat(ready)
		return err
	})
	return p.PID(), err
}

// toolsDir holds the host's own iptables commands, where it has its own.
func (l *Lab) toolsDir(h Host) string {
	return filepath.Join(stateDir(l.opts.Name), h.short(), "bin")
}

// chooseIPTables makes the plain commands those of one variant, as update-alternatives
// does, but for one host.
func (l *Lab) chooseIPTables(h Host) error {
	if err := os.RemoveAll(l.toolsDir(h)); err != nil { // of the engine before
		return fmt.Errorf("remove the commands of %s: %w", h.Name, err)
	}
	if err := os.MkdirAll(l.toolsDir(h), 0o755); err != nil {
		return fmt.Errorf("make the commands of %s: %w", h.Name, err)
	}
	for _, family := range []string{"iptables", "ip6tables"} {
		for _, kind := range []string{"", "-save", "-restore"} {
			err := os.Symlink("/usr/sbin/"+family+"-"+h.Engine.IPTables+kind, filepath.Join(l.toolsDir(h), family+kind))
			if err != nil {
				return fmt.Errorf("make the commands of %s: %w", h.Name, err)
			}
		}
	}
	return nil
}

// prepareHost gives a plugged-in host what its engine is to find.
func (l *Lab) prepareHost(ctx context.Context, h Host) (Host, error) {
	if h.Engine.Forwarding {
		if err := netns.WriteSettings(netns.Path(h.Namespace), "net/ipv4/ip_forward=1"); err != nil {
			return h, err
		}
	}
	if h.Engine.IPTables != "" {
		if err := l.chooseIPTables(h); err != nil {
			return h, err
		}
		h.Path = l.toolsDir(h) + ":" + os.Getenv("PATH")
	}
	if h.Engine.Root != "" {
		var err error
		if h.Keeper, err = l.keepRoot(ctx, h); err != nil {
			return h, err
		}
	}
	return h, l.noteHost(h)
}
