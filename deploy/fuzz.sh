#!/usr/bin/env bash
# Runs every fuzz target for the given time. Usage: deploy/fuzz.sh 30s
set -euo pipefail
time=${1:?usage: deploy/fuzz.sh TIME, for example 30s}
grep -rlE --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | while read -r dir; do
  grep -ohE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go | awk '{print $2}' | while read -r target; do
    echo "== $dir $target" >&2
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$dir"
  done
done
