#!/usr/bin/env bash
# Builds lifeboat and compares whole processes with their peers; see compare.py for what is printed, and peers.sh for the
# peers that the system does not have.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
make build
exec python3 benches/compare.py "$@"
