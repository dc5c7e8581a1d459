#!/usr/bin/env bash
# Makes, where they are not there yet, the root file systems whose Docker engines `make
# e2e-engines` runs, and prints one line for each engine: "VERSION ROOT", or what is not run
# and why. They are kept outside the tree: SEALANE_ENGINES, by default
# ${XDG_CACHE_HOME:-/var/cache}/sealane/engines. As root, on Debian or Ubuntu.
set -euo pipefail
cache=${SEALANE_ENGINES:-${XDG_CACHE_HOME:-/var/cache}/sealane/engines}
mirror=http://deb.debian.org/debian
packages=docker.io,docker-cli,iptables,nftables,iproute2,procps,ca-certificates

find "$cache" -maxdepth 1 -name '.new-*' -mmin +120 -exec rm -rf --one-file-system {} + 2>/dev/null || true # of a run that was ended

not_run() { echo "not run: $*"; }

root() { # suite, version wanted, its name
  local suite=$1 want=$2 dir=$cache/$3 new have
  if [ ! -x "$dir/usr/sbin/dockerd" ]; then
    command -v mmdebstrap >/dev/null || { not_run "Docker $want: mmdebstrap is missing"; return; }
    mkdir -p "$cache"
    new=$(mktemp -d "$cache/.new-XXXXXX")
    chmod 755 "$new"
    # The mirror's lists of a suite in motion may have expired.
    if ! mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Check-Valid-Until "false"' \
      --include="$packages" "$suite" "$new" "$mirror" >&2; then
      rm -rf --one-file-system "$new"
      not_run "Docker $want: $suite cannot be installed from $mirror"
      return
    fi
    mv -T "$new" "$dir"
  fi
  have=$(chroot "$dir" dockerd --version | sed -E 's/^Docker version ([0-9.]+).*/\1/')
  if [ "$have" != "$want" ]; then
    not_run "Docker $want: $suite has $have by now"
    return
  fi
  echo "$want $dir"
}

root trixie 26.1.5 trixie-26.1.5
root testing 28.5.2 testing-28.5.2
for version in 23 24 25 27 28.0 28.1 29 '29 with nftables'; do
  not_run "Docker $version: no package of Debian has it; replayed from captured rules in agent/host"
done
