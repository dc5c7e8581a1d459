#!/usr/bin/env bash
# Installs what the demo and the tests need and this machine lacks: a Docker engine, iptables,
# ipset, nft, a static busybox, and the C compiler that Go's race detector links with. Starts no
# service. Without root, or without apt, it says what to install and lets the caller go on: what
# needs them says so by name.
set -euo pipefail

declare -A package=(
  [dockerd]=docker.io [iptables]=iptables [ipset]=ipset [nft]=nftables
  [gcc]=gcc [ip]=iproute2 [sysctl]=procps [nsenter]=util-linux
)
missing=()
for tool in "${!package[@]}"; do
  PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null 2>&1 || missing+=("${package[$tool]}")
done
[ -e /usr/include/stdlib.h ] || missing+=(libc6-dev)

# The containers' image holds nothing but busybox, so that one with shared libraries, as in
# Debian's package busybox, will not do. ldd fails for a static program, and says so.
static_busybox() {
  local file
  for file in /bin/busybox /usr/bin/busybox /bin/busybox.static /usr/local/bin/busybox; do
    [ -x "$file" ] || continue
    case $(LC_ALL=C ldd "$file" 2>&1 || true) in
      *'not a dynamic executable'* | *'statically linked'*) return 0 ;;
    esac
  done
  return 1
}
static_busybox || missing+=(busybox-static)
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  echo "deps: missing: ${missing[*]} (Debian's package names); install them with your package manager" >&2
  exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "deps: missing: ${missing[*]}; run: sudo apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 0
fi

# A package that starts its service on installation would start a Docker engine in the
# machine's own network; the lab starts its own, each in its namespace.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi
echo "deps: installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
if ! { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "deps: could not install ${missing[*]}" >&2
  exit 1
fi
rm -f "$log"

# The package has them start at boot, where Docker would change the machine's own firewall.
if [[ " ${missing[*]} " == *' docker.io '* ]] && command -v systemctl >/dev/null 2>&1; then
  systemctl disable docker.service docker.socket containerd.service >/dev/null 2>&1 || true
  echo "deps: installed Docker, and told systemd not to start it at boot; undo: systemctl enable docker.service docker.socket containerd.service" >&2
fi
