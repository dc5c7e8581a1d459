#!/usr/bin/env bash
# Installs what the demo and the tests need and this machine lacks: a Docker engine, iptables,
# ipset, nft, conntrack, a static busybox. Starts no service. Without root, or without apt, it
# says what to install and lets the caller go on: what needs them says so by name.
set -euo pipefail

declare -A package=(
  [dockerd]=docker.io [iptables]=iptables [ipset]=ipset [nft]=nftables
  [ip]=iproute2 [busybox]=busybox-static [sysctl]=procps [nsenter]=util-linux
)
missing=()
for tool in "${!package[@]}"; do
  PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null 2>&1 || missing+=("${package[$tool]}")
done
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
