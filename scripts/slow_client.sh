#!/usr/bin/env bash
# Starts the slow bot: it reads too slowly, and so shows what becomes of a slow consumer.
set -euo pipefail

if [[ "${1:-}" == -h || "${1:-}" == --help ]]; then
    cat <<'USAGE'
Usage: scripts/slow_client.sh [ADDR] [--name NAME] [--count N] [--seconds N]

Starts the slow bot, building it first if need be. It reads at most 2,600
bytes every 5 seconds, and prints how many it got. Stop it with Ctrl-C.

  ADDR         where the server is [127.0.0.1:1234]
  --name NAME  another name than "SlowBot 0.0.1a"
  --count N    stop after N reads
  --seconds N  stop after N seconds
USAGE
    exit 0
fi

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
exec cargo run --release --quiet --manifest-path "$root/Cargo.toml" -- slow "$@"
