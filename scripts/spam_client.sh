#!/usr/bin/env bash
# Starts the spam bot: it talks as fast as it can, and so shows backpressure.
set -euo pipefail

if [[ "${1:-}" == -h || "${1:-}" == --help ]]; then
    cat <<'USAGE'
Usage: scripts/spam_client.sh [ADDR] [--name NAME] [--count N] [--seconds N]

Starts the spam bot, building it first if need be. It sends lines of 2,500
bytes as fast as it can, and prints how long each took. Stop it with Ctrl-C.

  ADDR         where the server is [127.0.0.1:1234]
  --name NAME  another name than "SpamBot 5000"
  --count N    stop after N messages
  --seconds N  stop after N seconds
USAGE
    exit 0
fi

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
exec cargo run --release --quiet --manifest-path "$root/Cargo.toml" -- spam "$@"
