#!/usr/bin/env bash
# Runs one room over three servers on this host, or shows what it does while Redis is away.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: scripts/cluster.sh [--demo]

Runs Redis and three servers that share one room, on free ports of 127.0.0.1,
and says how to join. Ctrl-C ends everything, and leaves nothing behind. Needs
redis-server or valkey-server.

  --demo  kill Redis for five seconds instead, show what three people see, each
          on another server, and end; takes a quarter of a minute
USAGE
}

# fail MESSAGE [EXIT_CODE]
fail() {
    echo "cluster.sh: $1" >&2
    exit "${2:-1}"
}

is_demo=
while (($# > 0)); do
    case "$1" in
    -h | --help)
        usage
        exit 0
        ;;
    --demo) is_demo=1 ;;
    *) fail "there is no option $1 (see --help)" 2 ;;
    esac
    shift
done

redis=$(command -v redis-server || command -v valkey-server) || fail "please install redis-server"
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cargo build --release --quiet --features redis --manifest-path "$root/Cargo.toml"
built=$(realpath "${CARGO_TARGET_DIR:-$root/target}/release/trio-chat")
work=$(mktemp -d)
cd "$work"
# The status sockets are there too.
export XDG_RUNTIME_DIR=$work
unset RUNTIME_DIRECTORY
# Another build, without Redis, would take its place.
trio=$work/trio-chat
cp "$built" "$trio"
pids=()

# Those started last go first, so that the servers still have their Redis.
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

# Starts Redis as a room needs it: what was said is kept in a file, and nothing is evicted.
start_redis() {
    "$redis" --port 0 --unixsocket "$work/redis.sock" --dir "$work" --save "" \
        --appendonly yes --maxmemory-policy noeviction >>redis.log 2>&1 &
    pids[0]=$!
}

# start_server NUMBER: starts that server, and notes its port.
start_server() {
    "$trio" 127.0.0.1:0 --redis "redis+unix://$work/redis.sock" 2>"server-$1" &
    pids[$1]=$!
    until grep -qs "listening on" "server-$1"; do
        kill -0 "${pids[$1]}" 2>/dev/null || fail "$(cat redis.log "server-$1")"
        sleep 0.1
    done
    ports[$1]=$(sed -n 's/.*listening on .*://p' "server-$1")
}

ports=()
start_redis
for number in 1 2 3; do
    start_server "$number"
done

if [[ -z "$is_demo" ]]; then
    echo "One room, three servers. Join each from a terminal of its own:"
    echo
    for number in 1 2 3; do
        printf '    nc 127.0.0.1 %-5s  or  %s join %s\n' "${ports[number]}" "$built" "${ports[number]}"
    done
    printf '\n%s\n\n    %s\n\n%s\n\n' "To take Redis (process ${pids[0]}) away for five seconds:" \
        "kill -STOP ${pids[0]}; sleep 5; kill -CONT ${pids[0]}" "Ctrl-C ends everything. The logs:"
    tail -n +1 -f server-1 server-2 server-3 &
    pids+=($!)
    wait -n || true
    fail "Redis or a server has ended before it was asked to"
fi

people=(Ada Grace Alan)
declare -A sockets shown

# hear NAME: writes down what that person sees, and when.
hear() {
    local line
    while IFS= read -r line; do
        printf '%s %s\n' "$EPOCHREALTIME" "$line"
    done <&"${sockets[$1]}" >>"$1"
}

# join NAME NUMBER: joins that server.
join() {
    local socket
    exec {socket}<>"/dev/tcp/127.0.0.1/${ports[$2]}"
    sockets[$1]=$socket
    # The welcome is not shown.
    shown[$1]=1
    touch "$1"
    hear "$1" &
    pids+=($!)
    echo "$1" >&"$socket"
    until grep -q "name set to \"$1\"" "server-$2"; do
        sleep 0.1
    done
}

# say NAME TEXT
say() {
    echo "$2" >&"${sockets[$1]}"
}

# Prints what people have seen since the last time, side by side.
show() {
    local name lines
    for name in "${people[@]}"; do
        mapfile -t -s "${shown[$name]}" lines <"$name"
        shown[$name]=$((shown[$name] + ${#lines[@]}))
        { ((${#lines[@]} == 0)) || printf '%s\n' "${lines[@]#* }"; } | fold -s -w 26 >"new-$name"
    done
    pr -m -t -W 84 "${people[@]/#/new-}" | expand | sed "s/ *$//; 1s/^/$(date +%T)  /; 2,\$s/^/          /"
}

# show_until_all_see TEXT: gives up after 20 seconds.
show_until_all_see() {
    local end=$((SECONDS + 20))
    until (($(grep -l -F "$1" "${people[@]}" | wc -l) == ${#people[@]})); do
        ((SECONDS < end)) || fail "not everyone has seen \"$1\" within 20 s"
        sleep 0.2
        show
    done
    show
}

for number in 1 2 3; do
    join "${people[number - 1]}" "$number"
done
printf '%-8s  %-26s  %-26s  %s\n' time 'Ada, on server 1' 'Grace, on server 2' 'Alan, on server 3'
printf -- '%s  %s  %s  %s\n' -------- -------------------------- -------------------------- --------------------------
say Ada "Is everyone here?"
show_until_all_see "Ada>"
say Grace "On server 2, I am."
show_until_all_see "Grace>"
say Alan "On server 3, me too."
show_until_all_see "Alan>"

echo "          Redis is killed."
# The shell would report this.
{
    kill -9 "${pids[0]}"
    wait "${pids[0]}" || true
} 2>/dev/null
gone=$EPOCHREALTIME
say Ada "Anybody there?"
say Grace "Hello? Hello?"
for ((i = 0; i < 25; i++)); do
    sleep 0.2
    show
done

echo "          Redis is started again."
start_redis
show_until_all_see "* The room is back."
show_until_all_see "Ada> Anybody"
show_until_all_see "Grace> Hello?"
say Alan "Loud and clear."
show_until_all_see "Alan> Loud"
stop
show

# heard NAME: prints the lines of people that this one has heard.
heard() {
    cut -d' ' -f2- "$1" | grep -E '^[A-Z][a-z]+> '
}
told=$(grep -h -F 'Cut off' "${people[@]}" | sort -n | tail -n 1 | cut -d' ' -f1)
told=$(awk -v told="$told" -v gone="$gone" 'BEGIN { printf "%.1f", told - gone }')
n_heard=$(heard Ada | wc -l)
echo
if cmp -s <(heard Ada) <(heard Grace) && cmp -s <(heard Ada) <(heard Alan) && ((n_heard == 6)) &&
    ! grep -q -F 'missed' "${people[@]}"; then
    echo "Seen: Redis was away for 5 s. Everyone was told within $told s and nobody was disconnected." \
        "The two lines said meanwhile waited, and all three people heard the same $n_heard lines in one order."
else
    fail "this is not what should be seen: everyone should hear the same 6 lines in one order"
fi
