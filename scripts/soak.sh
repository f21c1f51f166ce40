#!/usr/bin/env bash
# Runs the long forms of the promises, and prints a table of what they measured.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: scripts/soak.sh [--only PROMISE] [--against ncat]

Runs the long forms of the promises against a release build, one after the
other, and prints a table: promise, what was done, figure, pass or fail. Takes
about twenty minutes, and half an hour at most. Exits with 1 when one fails.

  --only PROMISE  run one of them, for example S3
  --against ncat  run the same faults against "ncat --chat" instead, which is
                  known to fail them: the control

L4, R6 and C5 need root and iproute2, for network namespaces; without root they
are named as not run.
USAGE
}

fail() {
    echo "soak.sh: $1 (see --help)" >&2
    exit 2
}

only=
others=control
while (($# > 0)); do
    case "$1" in
    -h | --help)
        usage
        exit 0
        ;;
    --only)
        [[ "${2:-}" =~ ^[A-Za-z][0-9]$ ]] || fail "--only needs a promise, such as S3"
        only=${2,,}_
        shift 2
        ;;
    --against)
        [[ "${2:-}" == ncat ]] || fail "--against needs ncat"
        others=soak
        shift 2
        ;;
    *) fail "there is no option $1" ;;
    esac
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
filter=(--ignored --nocapture --test-threads 1 --skip "$others::" "::$only")
not_run=
if [[ "$others" == control ]] && { ((EUID != 0)) || ! command -v ip >/dev/null; }; then
    filter+=(--skip l4_ --skip r6_ --skip c5_)
    not_run="L4, R6 and C5 were not run: they need root and iproute2."
fi

cargo build --release --quiet --all-features --tests
output=$(mktemp)
trap 'rm -f "$output"' EXIT

print_row() {
    printf '%-4s  %-62s  %-62s  %s\n' "$@"
}

print_row '' 'what was done' figure ''
SECONDS=0
status=0
# The rows are shown as they come, and everything is kept for the end.
timeout 1800 cargo test --release --quiet --all-features --test it -- "${filter[@]}" 2>&1 | tee "$output" |
    while IFS= read -r line; do
        [[ "$line" == *'SOAK|'* ]] || continue
        IFS='|' read -r _ promise what figure verdict <<<"SOAK|${line#*SOAK|}"
        print_row "$promise" "$what" "$figure" "$verdict"
    done || status=1

n_rows=$(grep -c 'SOAK|' "$output" || true)
if ((n_rows == 0)); then
    cat "$output" >&2
    echo "soak.sh: there is nothing to run for ${only:+--only ${only%_}}" >&2
    exit 1
fi
[[ -z "$not_run" ]] || echo "$not_run"
n_failed=$(grep -c 'SOAK|.*|FAIL$' "$output" || true)
echo "$n_rows rows in $SECONDS s, $n_failed failed."
if ((status != 0 || n_failed > 0)); then
    grep -E 'panicked at|^error' "$output" >&2 || true
    exit 1
fi
