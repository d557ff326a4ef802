#!/usr/bin/env bash
# Debian's Chromium for the tests beside this file. Does nothing where there is one, and ends with 0
# and a line that says why where none can be had: the tests are then skipped.
set -euo pipefail

without() { echo "no Chromium for the tests: $*" >&2; exit 0; }

command -v chromium >/dev/null && exit 0
[ "$(id -u)" = 0 ] || without "only root can install one"
command -v apt-get >/dev/null || without "apt-get is missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
for words in update "install --yes --no-install-recommends chromium"; do
  # shellcheck disable=SC2086
  apt-get $words >"$log" 2>&1 || without "apt-get $words failed: $(tail -n 1 "$log")"
done
