#!/usr/bin/env bash
# Measures Trio Chat and what people might run instead, in one run on one machine.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: scripts/bench.sh [--runs N] [--clients "N N ..."]

Rooms in which everyone talks five times a second, 64 bytes each, for 5 s, on
Trio Chat, "ncat --chat" and ngircd in turn; the crowd that talks and listens is
on this machine too. Prints a Markdown table of the medians, with the least and
the most in brackets, and draws scripts/bench.svg. Takes about a quarter of an
hour. Needs ncat, ngircd and gnuplot.

  --runs N        runs of each kind, of which the median counts [3]
  --clients LIST  sizes of the room [50 200 500 1000 1500 2000]
USAGE
}

fail() {
    echo "bench.sh: $1 (see --help)" >&2
    exit 2
}

runs=3
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
stop() {
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
    "$trio" 127.0.0.1:0 2>"$work/port" &
    local pid=$!
    until grep -q 'listening on' "$work/port"; do sleep 0.05; done
    kill "$pid"
    wait "$pid" || true
    port=$(sed -n 's/.*listening on .*://p' "$work/port")
}

# start NAME: runs that server on $port, and sets what it speaks.
start() {
    case "$1" in
    trio-chat)
        protocol=line
        "$trio" -q "127.0.0.1:$port" 2>/dev/null &
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
    until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.05; done
}

# field NAME < JSON: that number, or "-" where there is none.
field() {
    sed -nE "s/.*\"$1\":([^,}]*).*/\1/p" | sed 's/null/-/'
}

# The median of some numbers, with the least and the most; "-" where one is missing.
spread() {
    sort -g | awk '
        $1 == "-" { missing = 1 }
        { value[NR] = $1 }
        END {
            if (missing || NR == 0) { print "-"; exit }
            median = value[int((NR + 1) / 2)]
            if (NR == 1) printf "%.3g", median
            else printf "%.3g (%.3g–%.3g)", median, value[1], value[NR]
            print ""
        }'
}

echo "| server | clients | delivered % | p50 ms | p99 ms | µs of CPU per delivery |"
echo "|---|---|---|---|---|---|"
for name in trio-chat ncat ngircd; do
    for size in "${sizes[@]}"; do
        rm -f "$work"/run.*
        for ((run = 1; run <= runs; run++)); do
            free_port
            start "$name"
            timeout 60 "$trio" crowd "127.0.0.1:$port" --clients "$size" --protocol "$protocol" \
                --pid "$server" --json >"$work/run.$run" 2>/dev/null || break
            stop
        done
        stop
        if ((run <= runs)); then
            echo "| $name | $size | not all were let in within a minute | - | - | - |"
            break
        fi
        cat "$work"/run.* >"$work/runs"
        delivered=$(while IFS= read -r line; do
            awk -v got="$(field delivered <<<"$line")" -v of="$(field expected <<<"$line")" \
                'BEGIN { print 100 * got / of }'
        done <"$work/runs" | spread)
        p50=$(field p50_ms <"$work/runs" | spread)
        p99=$(field p99_ms <"$work/runs" | spread)
        cpu=$(field server_us_per_delivery <"$work/runs" | spread)
        echo "| $name | $size | $delivered | $p50 | $p99 | $cpu |"
        echo "$size ${delivered%% *} ${p99%% *}" >>"$work/$name.data"
    done
    touch "$work/$name.data"
done

# Grey text and lines of middling brightness can be read on white and on dark.
gnuplot <<GNUPLOT
set terminal svg size 800,320 font "sans-serif,13"
set output "$root/scripts/bench.svg"
set border linecolor "#888888"
set tics textcolor "#888888"
set key textcolor "#888888" left top
set grid linecolor "#888888" linewidth 0.3
set xlabel "clients, all talking" textcolor "#888888"
set style data linespoints
set datafile missing "-"
set multiplot layout 1,2
set logscale y
set title "latency, p99, ms" textcolor "#888888"
plot "$work/trio-chat.data" using 1:3 title "Trio Chat" linewidth 3 linecolor "#2a9d55", \
     "$work/ncat.data" using 1:3 title "ncat --chat" linewidth 2 linecolor "#d98b1f", \
     "$work/ngircd.data" using 1:3 title "ngircd" linewidth 2 linecolor "#4f86d9"
unset logscale y
set yrange [0:105]
set key left bottom
set title "delivered, %" textcolor "#888888"
plot "$work/trio-chat.data" using 1:2 title "Trio Chat" linewidth 3 linecolor "#2a9d55", \
     "$work/ncat.data" using 1:2 title "ncat --chat" linewidth 2 linecolor "#d98b1f", \
     "$work/ngircd.data" using 1:2 title "ngircd" linewidth 2 linecolor "#4f86d9"
GNUPLOT
