#!/usr/bin/env bash
# Installs the peers that compare.py and the bench `probing` run beside lifeboat; run again it only looks. Those from Debian are
# installed as any package is, the others pinned, under the cache folder.
#
#   from PyPI     ansible-core and DBOS, each in a venv of its own
#   from crates   steno, in the small program of peers/steno
#   from Debian   HAProxy and prometheus-blackbox-exporter, whose services stay off
#
# Left out: Restate, whose server asks the internet for its newest release when it starts; Prefect, whose runs need a server
# beside them; and all that ships as a container alone. Nothing here is needed to build or to test lifeboat.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
peers="${XDG_CACHE_HOME:-$HOME/.cache}/lifeboat/peers"
mkdir -p "$peers"

venv() { # FOLDER PACKAGE==VERSION
  local home="$peers/$1"
  if [ "$(cat "$home/.complete" 2>/dev/null)" = "$2" ]; then return; fi
  printf 'peers: from PyPI: %s\n' "$2"
  rm -rf "$home"
  /usr/bin/python3 -m venv "$home"
  "$home/bin/python" -m pip install --quiet --no-input --disable-pip-version-check "$2" </dev/null
  printf '%s' "$2" >"$home/.complete"
}

debian() { # SERVICE PACKAGE
  if [ "$(dpkg-query -W -f='${db:Status-Status}' "$2" 2>/dev/null)" = installed ]; then return; fi
  if ! command -v apt-get >/dev/null; then printf 'peers: this is not Debian: %s is left out\n' "$2"; return; fi
  printf 'peers: from Debian: %s\n' "$2"
  local root=() policy=/usr/sbin/policy-rc.d mine=
  [ "$(id -u)" = 0 ] || root=(sudo)
  # Debian starts a service as soon as it is installed, unless this says otherwise.
  if [ ! -e "$policy" ]; then
    mine=yes
    printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy" >/dev/null
    "${root[@]}" chmod 755 "$policy"
  fi
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$2" </dev/null \
    || printf 'peers: %s could not be installed: it is left out\n' "$2"
  if [ -n "$mine" ]; then "${root[@]}" rm -f "$policy"; fi
  "${root[@]}" update-rc.d "$1" disable >/dev/null 2>&1 || true
  if command -v systemctl >/dev/null; then "${root[@]}" systemctl disable "$1.service" >/dev/null 2>&1 || true; fi
}

venv ansible ansible-core==2.19.14
venv dbos dbos==3.4.0
printf 'peers: from crates: steno\n'
cargo build --quiet --locked --release --manifest-path peers/steno/Cargo.toml --target-dir "$peers/steno" </dev/null
debian haproxy haproxy
debian prometheus-blackbox-exporter prometheus-blackbox-exporter
