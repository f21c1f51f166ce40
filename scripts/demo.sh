#!/usr/bin/env bash
# Shows where the bytes of both bots wait, then says what was seen.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: scripts/demo.sh [--seconds N]

Runs a server on a free port of 127.0.0.1 with the spam bot and the slow bot,
and shows where their bytes wait (trio-chat watch). Without a terminal it shows
what the three print side by side. Takes half a minute, and leaves nothing
running.

  --seconds N  another time than 30 seconds
USAGE
}

seconds=30
while (($# > 0)); do
    case "$1" in
    -h | --help)
        usage
        exit 0
        ;;
    --seconds)
        if [[ ! "${2:-}" =~ ^[1-9][0-9]*$ ]]; then
            echo "demo.sh: --seconds needs a whole number from 1 up (see --help)" >&2
            exit 2
        fi
        seconds=$2
        shift 2
        ;;
    *)
        echo "demo.sh: there is no option $1 (see --help)" >&2
        exit 2
        ;;
    esac
done

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cargo build --release --quiet --manifest-path "$root/Cargo.toml"
target=${CARGO_TARGET_DIR:-$root/target}
work=$(mktemp -d)
# The status socket is there too.
export XDG_RUNTIME_DIR=$work
unset RUNTIME_DIRECTORY
pids=()

# Those started last go first, so that the bots do not see their server go.
stop() {
    local i
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        kill "${pids[i]}" 2>/dev/null || true
        wait "${pids[i]}" 2>/dev/null || true
    done
    pids=()
}
# A second Ctrl-C must not leave something behind.
trap 'trap "" INT TERM HUP; stop; rm -rf "$work"' EXIT
trap 'trap "" INT TERM HUP; exit 130' INT
trap 'trap "" INT TERM HUP; exit 143' TERM HUP

# start NAME ARGUMENTS...: runs the program, with what it prints in a file of that name.
start() {
    local name=$1
    shift
    "$target/release/trio-chat" "$@" >"$work/$name" 2>&1 &
    pids+=($!)
}

start server serve 127.0.0.1:0
address=
while [[ -z "$address" ]]; do
    if ! kill -0 "${pids[0]}" 2>/dev/null; then
        cat "$work/server" >&2
        exit 1
    fi
    sleep 0.1
    address=$(sed -n 's/.*listening on //p' "$work/server")
done
start slow slow "$address"
start spam spam "$address"

terminal=${COLUMNS:-}
if [[ -z "$terminal" && -t 1 ]]; then
    terminal=$(tput cols 2>/dev/null || true)
fi
[[ "$terminal" =~ ^[1-9][0-9]{0,3}$ ]] || terminal=105
# Time and two bots take 53 columns; the server has the rest.
server_width=$((terminal - 53))
((server_width >= 20)) || server_width=20

row() {
    printf '%-8s  %-20s  %-19s  %s\n' "$@" | sed 's/ *$//'
}

declare -A shown=([spam]=0 [slow]=0 [server]=0)

# column NAME WIDTH: what that program has printed since the last time, into $column.
column() {
    local lines
    mapfile -t -s "${shown[$1]}" lines <"$work/$1"
    shown[$1]=$((shown[$1] + ${#lines[@]}))
    mapfile -t column < <(
        ((${#lines[@]} == 0)) || printf '%s\n' "${lines[@]}" |
            sed -E 's/^[0-9:]+ \[(INFO|ERROR)\] //' | fold -s -w "$2"
    )
}

show() {
    local spam slow server n_rows i time
    column spam 20 && spam=("${column[@]}")
    column slow 19 && slow=("${column[@]}")
    column server "$server_width" && server=("${column[@]}")
    n_rows=$(printf '%s\n' ${#spam[@]} ${#slow[@]} ${#server[@]} | sort -n | tail -n 1)
    time=$(date +%T)
    for ((i = 0; i < n_rows; i++)); do
        row "$time" "${spam[i]:-}" "${slow[i]:-}" "${server[i]:-}"
        time=
    done
}

if [[ -t 1 ]]; then
    # In the background, so that a signal need not wait for its end.
    "$target/release/trio-chat" watch "$address" --seconds "$seconds" &
    pids+=($!)
    wait "${pids[-1]}"
else
    row time 'spam bot' 'slow bot' server
    row -------- -------------------- ------------------- --------------------
    SECONDS=0
    while ((SECONDS < seconds)); do
        show
        sleep 0.5
    done
fi
"$target/release/trio-chat" watch "$address" >"$work/view"
stop
[[ -t 1 ]] || show
echo
cat "$work/view"

# The first line that had to wait: its number, and how long.
stall=$(sed -nE 's/.*Sent #([0-9]+) in ([0-9.]+)s$/\1 \2/p' "$work/spam" |
    awk '$2 >= 0.15 { print; exit }')
drops=$(grep -c 'queue is full!' "$work/server" || true)
n_missed=$(sed -nE 's/.*dropping (([0-9]+) )?messages?\)$/\2/p' "$work/server" |
    awk '{ n += ($1 == "" ? 1 : $1) } END { print n + 0 }')
at() {
    date -d "$(grep -m 1 "$1" "$work/server" | cut -d' ' -f1)" +%s
}
echo
{
    if [[ -n "$stall" ]] && ((drops > 0)); then
        after=$(($(at 'queue is full!') - $(at 'name set to')))
        echo "Seen: the spam bot's line #${stall% *} had to wait ${stall#* } s for the server (backpressure)," \
            "and from second $after on the slow bot missed $n_missed messages (slow consumer)," \
            "while the server waited for neither."
    elif [[ -n "$stall" ]]; then
        echo "Seen: the spam bot's line #${stall% *} had to wait ${stall#* } s for the server (backpressure);" \
            "the slow bot misses messages after some 12 seconds."
    else
        echo "Nothing was seen in $seconds s: the first stall comes after a few seconds, so take more."
    fi
} | fold -s -w 80
