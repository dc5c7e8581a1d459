#!/usr/bin/env bash
# Prints what an idle agent costs: memory and share of one core, its commands included, of each
# agent of a lab that is left alone. Judges nothing. Usage: deploy/idle.sh BIN SECONDS, as root.
set -euo pipefail
bin=$(realpath "${1:?usage: deploy/idle.sh BIN SECONDS, for example bin 300}")
seconds=${2:?usage: deploy/idle.sh BIN SECONDS, for example bin 300}
lab=idle
settle=60 # seconds until the first reports are written and what the start needed is given back

agents() { # process ids of the lab's agents
  local p
  for p in /proc/[0-9]*; do
    if [ "$(readlink "$p/exe")" = "$bin/sealane-agent" ] && grep -qzx "SEALANE_LAB=$lab" "$p/environ"; then
      basename "$p"
    fi
  done 2>/dev/null || true # processes end while we look
}
ticks() { # user and system time of a process, and of the children it waited for: proc_pid_stat(5)
  sed 's/^.*) //' "/proc/$1/stat" | awk '{print $12 + $13, $14 + $15}'
}

"$bin/sealane-lab" up --name "$lab" --detach >&2
trap '"$bin/sealane-lab" down --name "$lab" >&2' EXIT
sleep "$settle"
declare -A before
pids=$(agents)
for pid in $pids; do before[$pid]=$(ticks "$pid"); done
sleep "$seconds"
printf '%-8s %9s %9s %9s %8s %9s %9s\n' AGENT RSS-MIB ANON-MIB FILE-MIB OWN-CPU CHILD-CPU CPU
for pid in $pids; do
  echo "$pid ${before[$pid]} $(ticks "$pid") $(awk '/^(VmRSS|RssAnon|RssFile):/ {print $2}' "/proc/$pid/status" | xargs)"
done | awk -v hz="$(getconf CLK_TCK)" -v s="$seconds" '{
  own = ($4 - $2) * 100 / hz / s; child = ($5 - $3) * 100 / hz / s
  printf "%-8s %9.1f %9.1f %9.1f %7.3f%% %8.3f%% %8.3f%%\n", $1, $6 / 1024, $7 / 1024, $8 / 1024, own, child, own + child
}'
