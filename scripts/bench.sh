#!/usr/bin/env bash
# Measures Trio Chat and what people might run instead, in one run on one machine.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: scripts/bench.sh [--runs N] [--clients "N N ..."]

On Trio Chat, "ncat --chat" and ngircd in turn: rooms in which everyone talks
five times a second, a room of 8,000 in which one does, and one client that
floods 100; 64 bytes a message, for 5 s, and the crowd that talks and listens is
on this machine too. Prints Markdown tables of the medians, with the least and
the most in brackets, and draws scripts/bench.svg of the first. Takes about a
quarter of an hour. Needs ncat, ngircd and gnuplot.

  --runs N        runs of each kind, of which the median counts [3]
  --clients LIST  sizes of the room [50 200 500 1000 1500 2000]
USAGE
}

fail() {
    echo "bench.sh: $1 (see --help)" >&2
    exit 2
}

runs=3
servers=(trio-chat ncat ngircd)
sizes=(50 200 500 1000 1500 2000)
while (($# > 0)); do
    case "$1" in
    -h | --help)
        usage
        exit 0
        ;;
    --runs)
        [[ "${2:-}" =~ ^[1-9][0-9]*$ ]] || fail "--runs needs a whole number from 1 up"
        runs=$2
        shift 2
        ;;
    --clients)
        [[ "${2:-}" =~ ^[0-9\ ]+$ ]] || fail "--clients needs numbers"
        read -ra sizes <<<"$2"
        shift 2
        ;;
    *) fail "there is no option $1" ;;
    esac
done

PATH=$PATH:/usr/sbin
for command in ncat ngircd gnuplot; do
    command -v "$command" >/dev/null || {
        echo "bench.sh: please install $command" >&2
        exit 1
    }
done

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cargo build --release --quiet --manifest-path "$root/Cargo.toml"
trio=${CARGO_TARGET_DIR:-$root/target}/release/trio-chat
work=$(mktemp -d)
server=
crowd=
stop() {
    if [[ -n "$crowd" ]]; then
        kill "$crowd" 2>/dev/null || true
        crowd=
    fi
    if [[ -n "$server" ]]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
        server=
    fi
}
trap 'stop; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
ulimit -n "$(ulimit -Hn)"

# A port that was free a moment ago.
free_port() {
    rm -f "$work/port"
    "$trio" 127.0.0.1:0 2>"$work/port" &
    server=$!
    until grep -qs 'listening on' "$work/port"; do
        is_running
        sleep 0.05
    done
    stop
    port=$(sed -n 's/.*listening on .*://p' "$work/port")
}

# Ends the run with a sentence if the server under test is not there.
is_running() {
    kill -0 "$server" 2>/dev/null || {
        echo "bench.sh: a server has ended before it was asked to; try again" >&2
        exit 1
    }
}

# start NAME [OPTION...]: runs that server on $port, and sets what it speaks.
start() {
    case "$1" in
    trio-chat)
        protocol=line
        "$trio" -q "127.0.0.1:$port" "${@:2}" 2>/dev/null &
        ;;
    ncat)
        protocol=raw
        ncat --chat -m 10000 -l 127.0.0.1 "$port" 2>/dev/null &
        ;;
    ngircd)
        protocol=irc
        printf '%s\n' '[Global]' 'Name = irc.bench.local' 'Info = bench' 'Listen = 127.0.0.1' \
            "Ports = $port" 'MotdPhrase = bench' '[Limits]' 'MaxConnections = 0' \
            'MaxConnectionsIP = 0' 'MaxJoins = 0' 'MaxPenaltyTime = 0' \
            '[Options]' 'DNS = no' 'Ident = no' 'PAM = no' >"$work/ngircd.conf"
        ngircd -n -f "$work/ngircd.conf" >/dev/null 2>&1 &
        ;;
    esac
    server=$!
    until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        is_running
        sleep 0.05
    done
    is_running
}

# field NAME < JSON: that number, or "-" where there is none.
field() {
    sed -nE "s/.*\"$1\":([^,}]*).*/\1/p" | sed 's/null/-/'
}

# The median of some numbers, with the least and the most; "-" where one is missing.
spread() {
    sort -g | awk '
        function short(x) { return x < 1000 ? sprintf("%.3g", x) : sprintf("%d", x) }
        $1 == "-" { missing = 1 }
        { value[NR] = $1 }
        END {
            if (missing || NR == 0) { print "-"; exit }
            median = (value[int((NR + 1) / 2)] + value[int(NR / 2) + 1]) / 2
            if (NR == 1) print short(median)
            else print short(median) " (" short(value[1]) "–" short(value[NR]) ")"
        }'
}

# measure NAME OPTION... [-- SERVER_OPTION...]: lets crowds measure that server, and leaves a line of
# JSON for each run in $work/runs. When a crowd fails, $why says why.
measure() {
    local name=$1 crowd_options=() run
    shift
    while (($# > 0)) && [[ "$1" != -- ]]; do
        crowd_options+=("$1")
        shift
    done
    : >"$work/runs"
    for ((run = 1; run <= runs; run++)); do
        free_port
        start "$name" "${@:2}"
        timeout 90 "$trio" crowd "127.0.0.1:$port" "${crowd_options[@]}" --protocol "$protocol" \
            --pid "$server" --json >>"$work/runs" 2>"$work/why" &
        crowd=$!
        wait "$crowd" || {
            stop
            why=$(sed 's/^trio-chat: //' "$work/why")
            why=${why:-it took longer than 90 s}
            return 1
        }
        crowd=
        stop
    done
}

# column FIELD [UNIT]: the spread of that number over the runs, in UNITs.
column() {
    field "$1" <"$work/runs" | awk -v unit="${2:-1}" '{ print $1 == "-" ? $1 : $1 / unit }' | spread
}

# share FIELD: the spread of that number's percentage of all deliveries over the runs.
share() {
    paste <(field "$1" <"$work/runs") <(field expected <"$work/runs") |
        awk '{ print int(1000 * $1 / $2) / 10 }' | spread
}

echo "| server | clients | delivered % | p50 ms | p99 ms | µs of CPU per delivery |"
echo "|---|---|---|---|---|---|"
for name in "${servers[@]}"; do
    touch "$work/$name.data"
    for size in "${sizes[@]}"; do
        measure "$name" --clients "$size" || {
            echo "| $name | $size | $why | - | - | - |"
            break
        }
        delivered=$(share delivered)
        p99=$(column p99_ms)
        echo "| $name | $size | $delivered | $(column p50_ms) | $p99 |" \
            "$(column server_us_per_delivery) |"
        echo "$size ${delivered%% *} ${p99%% *}" >>"$work/$name.data"
    done
done

echo
echo "| server | quiet clients | joined in s | KB of memory each | the last hears a message after ms |"
echo "|---|---|---|---|---|"
for name in "${servers[@]}"; do
    if measure "$name" --clients 8000 --talkers 1 --rate 2; then
        echo "| $name | 8000 | $(column joined_s) | $(column server_kb_per_client) | $(column max_ms) |"
    else
        echo "| $name | 8000 | $why | - | - |"
    fi
done

echo
echo "| server | one floods, 100 hear: millions of deliveries a second | delivered % | told that they missed % |"
echo "|---|---|---|---|"
for name in "${servers[@]}"; do
    no_pace=()
    [[ "$name" != trio-chat ]] || no_pace=(--rate 0)
    if measure "$name" --clients 100 --talkers 1 --rate 0 -- "${no_pace[@]}"; then
        echo "| $name | $(column deliveries_per_s 1e6) | $(share delivered) | $(share missed) |"
    else
        echo "| $name | $why | - | - |"
    fi
done

# Grey text and lines of middling brightness can be read on white and on dark.
gnuplot <<GNUPLOT
set terminal svg size 800,320 font "sans-serif,13"
set output "$root/scripts/bench.svg"
set border linecolor "#888888"
set tics textcolor "#888888"
set key textcolor "#888888" right bottom
set xtics 500
set grid linecolor "#888888" linewidth 0.3
set xlabel "clients, all talking" textcolor "#888888"
set style data linespoints
set datafile missing "-"
set multiplot layout 1,2
set logscale y
set title "latency, p99, ms (a line ends where not all were let in)" textcolor "#888888"
plot "$work/trio-chat.data" using 1:3 title "Trio Chat" linewidth 3 linecolor "#2a9d55", \
     "$work/ncat.data" using 1:3 title "ncat --chat" linewidth 2 linecolor "#d98b1f", \
     "$work/ngircd.data" using 1:3 title "ngircd" linewidth 2 linecolor "#4f86d9"
unset logscale y
set yrange [0:105]
set title "delivered, %" textcolor "#888888"
plot "$work/trio-chat.data" using 1:2 title "Trio Chat" linewidth 3 linecolor "#2a9d55", \
     "$work/ncat.data" using 1:2 title "ncat --chat" linewidth 2 linecolor "#d98b1f", \
     "$work/ngircd.data" using 1:2 title "ngircd" linewidth 2 linecolor "#4f86d9"
GNUPLOT
