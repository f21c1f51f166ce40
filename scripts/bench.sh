#!/usr/bin/env bash
# Measures Trio Chat and what people might run instead, in one run on one machine.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: scripts/bench.sh [--runs N] [--clients "N N ..."] [--cluster]

Measures Trio Chat, "ncat --chat" and ngircd in turn: rooms in which everyone
talks five times a second, a room of 8,000 in which one client does, and one
client that floods 100. Measures Trio Chat alone in a room of 1,000, fresh and
after 15,000 other clients have joined and left, and in rooms over 1, 2 and 3
servers on one Redis. Clients talk for 5 s, with 64 bytes per message, and run
on this machine too, as all servers and Redis do. Prints Markdown tables of the
medians, with the minimum and maximum in brackets, and draws the first table as
scripts/bench.svg. Takes about twenty minutes. Needs ncat, ngircd, gnuplot and
redis-server.

  --runs N        runs of each measurement, each with a fresh server [3]
  --clients LIST  sizes of the room [50 200 500 1000 1500 2000], and of one over
                  several servers [200 1000 2000]
  --cluster       measure rooms over several servers only
USAGE
}

# fail MESSAGE [EXIT_CODE]
fail() {
    echo "bench.sh: $1" >&2
    exit "${2:-1}"
}

runs=3
servers=(trio-chat ncat ngircd)
sizes=(50 200 500 1000 1500 2000)
cluster_sizes=(200 1000 2000)
needs=(redis-server ncat ngircd gnuplot)
features=()
while (($# > 0)); do
    case "$1" in
    -h | --help)
        usage
        exit 0
        ;;
    --runs)
        [[ "${2:-}" =~ ^[1-9][0-9]*$ ]] || fail "--runs needs a whole number from 1 up (see --help)" 2
        runs=$2
        shift 2
        ;;
    --clients)
        [[ "${2:-}" =~ ^[0-9\ ]+$ ]] || fail "--clients needs numbers (see --help)" 2
        read -ra sizes <<<"$2"
        cluster_sizes=("${sizes[@]}")
        shift 2
        ;;
    --cluster)
        needs=(redis-server)
        features=(--features redis)
        shift
        ;;
    *) fail "there is no option $1 (see --help)" 2 ;;
    esac
done

PATH=$PATH:/usr/sbin
for command in "${needs[@]}"; do
    command -v "$command" >/dev/null || fail "please install $command"
done

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cargo build --release --quiet "${features[@]}" --manifest-path "$root/Cargo.toml"
built=$(realpath "${CARGO_TARGET_DIR:-$root/target}/release/trio-chat")
work=$(mktemp -d)
cd "$work"
# The status sockets are there too.
export XDG_RUNTIME_DIR=$work
unset RUNTIME_DIRECTORY
trio=$work/trio-chat
cp "$built" "$trio"
ulimit -n "$(ulimit -Hn)"
server=
redis=
crowd=
trio_options=()

# Ends the processes that this script has started.
stop() {
    local pid
    for pid in $crowd $server $redis; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    crowd=
    server=
    redis=
}
# A second Ctrl-C must not leave something behind.
trap 'trap "" INT TERM HUP; stop; rm -rf "$work"' EXIT
trap 'trap "" INT TERM HUP; exit 130' INT
trap 'trap "" INT TERM HUP; exit 143' TERM HUP

# start NAME: starts that server, or a room over N of them if NAME is N. Sets $addresses and $server to
# where they listen, another port each time, and to their processes, and $protocol to what they speak.
start() {
    local n_servers=1 n_started
    addresses=()
    if [[ "$1" == [0-9] ]]; then
        n_servers=$1
        redis-server --port 0 --unixsocket "$work/redis.sock" --dir "$work" --save "" \
            --appendonly yes --maxmemory-policy noeviction >/dev/null 2>&1 &
        redis=$!
    fi
    for ((n_started = 0; n_started < n_servers; n_started++)); do
        start_one "$1"
    done
}

start_one() {
    # Below the ports that Linux gives to clients.
    local port=$((20000 + RANDOM % 10000))
    case "$1" in
    trio-chat)
        protocol=line
        "$trio" -q "127.0.0.1:$port" "${trio_options[@]}" 2>/dev/null &
        ;;
    [0-9])
        protocol=line
        "$trio" -q "127.0.0.1:$port" --redis "redis+unix://$work/redis.sock" 2>/dev/null &
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
            '[Options]' 'DNS = no' 'Ident = no' 'PAM = no' >ngircd.conf
        ngircd -n -f ngircd.conf >/dev/null 2>&1 &
        ;;
    esac
    local pid=$!
    server+=" $pid"
    addresses+=("127.0.0.1:$port")
    # If another server has the port, this one ends at once, and the crowd finds no such process.
    until sleep 0.1 && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        kill -0 "$pid" 2>/dev/null || fail "$1 has ended before it was asked to; try again"
    done
}

# Sets $redis_cpu to the processor time of Redis so far, in hundredths of a second.
read_redis_cpu() {
    redis_cpu=0
    [[ -z "$redis" ]] || redis_cpu=$(awk '{ print $14 + $15 }' "/proc/$redis/stat")
}

# measure SERVER CROWD_OPTION...: leaves one line of JSON per run in the file "runs", or none after a
# failure, which $why explains.
measure() {
    local run redis_cpu cpu_before
    : >runs
    for ((run = 1; run <= runs; run++)); do
        start "$1"
        why="it took longer than 90 s"
        read_redis_cpu
        cpu_before=$redis_cpu
        # shellcheck disable=SC2086 # one option for each process
        timeout 90 "$trio" crowd "${addresses[@]}" "${@:2}" --protocol "$protocol" \
            ${server// / --pid } --json >>runs 2>why &
        crowd=$!
        wait "$crowd" || {
            [[ ! -s why ]] || why=$(sed 's/^trio-chat: //' why)
            : >runs
        }
        crowd=
        read_redis_cpu
        [[ -z "$redis" ]] || sed -i "\$s/}/,\"redis_ticks\":$((redis_cpu - cpu_before))}/" runs
        stop
        [[ -s runs ]] || return 1
    done
}

# cell COLUMN: prints the median over the runs, with the minimum and maximum in brackets, or "-" if
# it is unknown. COLUMN is FIELD, FIELD/UNIT, or FIELD% for the share of all expected deliveries.
cell() {
    local field=${1%%[%/]*}
    awk -v field="$field" -v unit="${1#"$field"}" '
        function get(name) {
            match($0, "\"" name "\":")
            return substr($0, RSTART + RLENGTH)
        }
        function short(x) { return x < 1000 ? sprintf("%.3g", x) : sprintf("%d", x) }
        {
            unknown = unknown || get(field) !~ /^[0-9]/
            x = get(field) + 0
            # Rounded down, so that 100 % means all.
            if (unit == "%") x = int(1000 * x / get("expected")) / 10
            else if (unit != "") x /= substr(unit, 2)
            for (i = NR; i > 1 && value[i - 1] > x; i--) value[i] = value[i - 1]
            value[i] = x
        }
        END {
            if (unknown || NR == 0) { print "-"; exit }
            median = short((value[int((NR + 1) / 2)] + value[int(NR / 2) + 1]) / 2)
            print NR == 1 ? median : median " (" short(value[1]) "–" short(value[NR]) ")"
        }' runs
}

# table NAME...: begins a table with these columns.
table() {
    printf '\n|%s\n|%s\n' "$(printf ' %s |' "$@")" "$(printf -- '---|%.0s' "$@")"
}

# row LABEL "COLUMN..." SERVER CROWD_OPTION...: measures that server, and prints a row of a table. If
# a crowd fails, the first cell says why.
row() {
    local column cells="" failed=0
    measure "${@:3}" || failed=1
    for column in $2; do
        cells+=" $(cell "$column") |"
    done
    ((failed == 0)) || cells=" $why |${cells#*|}"
    echo "| $1 |$cells"
    return "$failed"
}

# rooms_over_several_servers: the first row of each size is a server without Redis.
rooms_over_several_servers() {
    local size columns="delivered% p50_ms p99_ms server_us_per_delivery"
    # Hundredths of a second in the 5 s that clients talk are fifths of a percent.
    columns+=" redis_ticks/5"
    table servers clients "delivered %" "p50 ms" "p99 ms" "µs of CPU of the servers per delivery" \
        "Redis, % of a core"
    for size in "${cluster_sizes[@]}"; do
        row "1, without Redis | $size" "$columns" trio-chat --clients "$size" || true
        for name in 1 2 3; do
            row "$name | $size" "$columns" "$name" --clients "$size" || true
        done
    done
    echo
    echo "All of this shares $(nproc) cores with the crowd: several servers have no more of them than" \
        "one, so these rows show what the link costs, and not what more machines bring."
}

if [[ "${needs[*]}" == redis-server ]]; then
    rooms_over_several_servers
    exit
fi

table server clients "delivered %" "p50 ms" "p99 ms" "µs of CPU per delivery"
for name in "${servers[@]}"; do
    touch "$name.data"
    for size in "${sizes[@]}"; do
        row "$name | $size" "delivered% p50_ms p99_ms server_us_per_delivery" \
            "$name" --clients "$size" || break
        echo "$size $(cell delivered%) $(cell p99_ms)" | sed 's/ ([^)]*)//g' >>"$name.data"
    done
done

table server "quiet clients" "joined in s" "KB of memory each" "the last hears a message after ms"
for name in "${servers[@]}"; do
    row "$name | 8000" "joined_s server_kb_per_client max_ms" \
        "$name" --clients 8000 --talkers 1 --rate 2 || true
done

table "room of 1,000, of whom 200 talk" "delivered %" "p99 ms" "µs of CPU per delivery"
columns="delivered% p99_ms server_us_per_delivery"
row "fresh room" "$columns" trio-chat --clients 1000 --talkers 200 || true
row "churned room" "$columns" trio-chat --clients 1000 --talkers 200 --churn 15 || true

table server "one floods, 100 hear: millions of deliveries a second" "delivered %" \
    "told that they missed %"
trio_options=(--rate 0)
for name in "${servers[@]}"; do
    row "$name" "deliveries_per_s/1e6 delivered% missed%" \
        "$name" --clients 100 --talkers 1 --rate 0 || true
done

trio_options=()
rooms_over_several_servers

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
set linetype 1 pointtype 1 linewidth 3 linecolor "#2a9d55"
set linetype 2 pointtype 2 linewidth 2 linecolor "#d98b1f"
set linetype 3 pointtype 3 linewidth 2 linecolor "#4f86d9"
array name[3] = ["Trio Chat", "ncat --chat", "ngircd"]
files = "trio-chat.data ncat.data ngircd.data"
set style data linespoints
set datafile missing "-"
set multiplot layout 1,2
set logscale y
set title "latency, p99, ms (a line ends where not all were let in)" textcolor "#888888"
plot for [i=1:3] word(files, i) using 1:3 title name[i] linetype i
unset logscale y
set yrange [0:105]
set title "delivered, %" textcolor "#888888"
plot for [i=1:3] word(files, i) using 1:2 title name[i] linetype i
GNUPLOT
