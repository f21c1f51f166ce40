#!/usr/bin/env bash
# Draws the README's pictures of the terminal, each from a real run.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: scripts/pictures.sh [join] [watch]

Draws what the README shows of "trio-chat join" and "trio-chat watch", or only
the one that is named, as scripts/join.svg and scripts/watch.svg. Runs a server
on a free port of 127.0.0.1 for each, with people or both bots in the room, and
draws what a terminal shows. Takes some 20 seconds, and leaves nothing running.
Needs tmux.
USAGE
}

# fail MESSAGE [EXIT_CODE]
fail() {
    echo "pictures.sh: $1" >&2
    exit "${2:-1}"
}

pictures=()
while (($# > 0)); do
    case "$1" in
    -h | --help)
        usage
        exit 0
        ;;
    join | watch) pictures+=("$1") ;;
    -*) fail "there is no option $1 (see --help)" 2 ;;
    *) fail "there is no picture $1 (see --help)" 2 ;;
    esac
    shift
done
((${#pictures[@]} > 0)) || pictures=(join watch)

command -v tmux >/dev/null || fail "please install tmux"
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cargo build --release --quiet --manifest-path "$root/Cargo.toml"
trio=$(realpath "${CARGO_TARGET_DIR:-$root/target}/release/trio-chat")
work=$(mktemp -d)
cd "$work"
# The status socket is there too, and the screen has the same looks everywhere.
export XDG_RUNTIME_DIR=$work LC_ALL=C.UTF-8
unset NO_COLOR RUNTIME_DIRECTORY TMUX
pids=()

# Those started last go first, so that nobody sees the server go.
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

# until_true WHAT COMMAND...: waits until the command succeeds.
until_true() {
    local what=$1 end=$((SECONDS + 60))
    shift
    until "$@"; do
        ((SECONDS < end)) || fail "waited in vain for $what"
        sleep 0.1
    done
}

# start_server OPTION...: runs a server, and notes its address.
start_server() {
    rm -f server
    "$trio" 127.0.0.1:0 "$@" 2>server &
    pids+=($!)
    until grep -qs "listening on" server; do
        kill -0 "${pids[0]}" 2>/dev/null || fail "$(cat server)"
        sleep 0.1
    done
    address=$(sed -n 's/.*listening on //p' server)
}

# start_bot NAME: runs that bot.
start_bot() {
    "$trio" "$1" "$address" >/dev/null 2>&1 &
    pids+=($!)
}

declare -A sockets

# join NAME: joins the server.
join() {
    local socket
    exec {socket}<>"/dev/tcp/${address%:*}/${address##*:}"
    sockets[$1]=$socket
    cat <&"$socket" >/dev/null &
    pids+=($!)
    say "$1" "$1"
    until_true "$1" grep -q "name set to \"$1\"" server
}

# say NAME TEXT
say() {
    echo "$2" >&"${sockets[$1]}"
}

tmux=(tmux -u -S "$work/tmux" -f /dev/null)

# open COLUMNS ROWS ARGUMENTS...: runs the program in a terminal of that size.
open() {
    "${tmux[@]}" -D &
    pids+=($!)
    until_true tmux "${tmux[@]}" set -g status off 2>/dev/null
    "${tmux[@]}" new-session -d -x "$1" -y "$2" "$trio" "${@:3}"
}

# keeps REGEX...: keeps the screen in a file, with its looks, if each matches a row of it.
keeps() {
    local regex
    "${tmux[@]}" capture-pane -e -p >screen
    sed 's/\x1b\[[0-9;]*m//g' screen >text
    for regex in "$@"; do
        grep -q -E "$regex" text || return 1
    done
}

# shows REGEX...: waits until the screen does.
shows() {
    until_true "$1" keeps "$@"
}

# types TEXT
types() {
    "${tmux[@]}" send-keys -l "$1"
}

# The picture is made of lengths in hundredths of a pixel: those of a character and of the margin.
cell=840
line=2000
margin=1400

# px LENGTH...: puts them into $px, as SVG has them.
px() {
    local length
    px=()
    while (($# > 0)); do
        printf -v length '%d.%02d' $(($1 / 100)) $(($1 % 100))
        length=${length%0}
        px+=("${length%.0}")
        shift
    done
}

# look CODES: takes over what an escape sequence says of the text after it, as "1;31" does.
look() {
    local codes steps=(00 5f 87 af d7 ff)
    IFS=';' read -ra codes <<<"${1:-0}"
    set -- "${codes[@]}"
    while (($# > 0)); do
        case "$1" in
        0) weight='' is_reversed='' color='' fill='' ;;
        1) weight=b ;;
        2) weight=d ;;
        7) is_reversed=1 ;;
        31) color=red ;;
        32) color=green ;;
        33) color=yellow ;;
        38)
            local rgb=$(($3 - 16))
            fill="#${steps[rgb / 36]}${steps[rgb / 6 % 6]}${steps[rgb % 6]}"
            shift 2
            ;;
        39) color='' fill='' ;;
        49) ;;
        *) fail "cannot draw the escape sequence $1" ;;
        esac
        shift
    done
}

# draw_block CLASS COLUMN WIDTH HEIGHT: draws a block in the middle of the row.
draw_block() {
    px $((margin + $2 * cell)) $((margin + row * line + (line - $4) / 2 - 100)) "$3" "$4"
    echo "<rect class=\"$1\" x=\"${px[0]}\" y=\"${px[1]}\" width=\"${px[2]}\" height=\"${px[3]}\"/>"
}

# draw_text TEXT COLUMN WIDTH
draw_text() {
    local text=$1 attributes='' class="$weight $color"
    [[ -z "$is_reversed" ]] || class+=' r'
    read -r class <<<"$class"
    [[ -z "$class" ]] || attributes+=" class=\"$class\""
    [[ -z "$fill" ]] || attributes+=" style=\"fill:$fill\""
    text=${text//&/'&amp;'}
    px $((margin + $2 * cell)) $((margin + row * line + 1400)) $(($3 * cell))
    echo "<text x=\"${px[0]}\" y=\"${px[1]}\" textLength=\"${px[2]}\"$attributes>${text//</'&lt;'}</text>"
}

# draw LABEL: prints the screen as SVG. Each word begins where its column does, and each bar is a
# block, so that all is in its place whatever the font.
draw() {
    local row=0 column text width height n_eighths rest weight color fill is_reversed
    local eighths=' ▏▎▍▌▋▊▉█' escape=$'^\e\\[([0-9;]*)m' cursor cursor_x cursor_y
    local bar='^[▏▎▍▌▋▊▉█]+' blanks='^ +' words=$'^[^ \e▏▎▍▌▋▊▉█]+( [^ \e▏▎▍▌▋▊▉█]+)*'
    read -r width height cursor cursor_x cursor_y < <("${tmux[@]}" display -p \
        '#{pane_width} #{pane_height} #{cursor_flag} #{cursor_x} #{cursor_y}')
    width=$((width * cell + 2 * margin)) height=$((height * line + 2 * margin))
    px "$width" "$height" $((width - 100)) $((height - 100))
    cat <<SVG
<svg xmlns="http://www.w3.org/2000/svg" width="${px[0]}" height="${px[1]}" viewBox="0 0 ${px[0]} ${px[1]}" role="img" aria-label="$1">
<!-- By scripts/pictures.sh, of a real run. -->
<style>
text { font: 14px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #1f2328; white-space: pre }
.b { font-weight: bold } .d { opacity: .65 } .r { fill: #fff } .m { fill: #1f2328 }
.green { fill: #2da44e } .yellow { fill: #d4a72c } .red { fill: #cf222e } .frame { fill: #fff; stroke: #8c959f }
@media (prefers-color-scheme: dark) {
text, .m { fill: #e6edf3 } .r { fill: #0d1117 }
.green { fill: #3fb950 } .yellow { fill: #d29922 } .red { fill: #f85149 } .frame { fill: #0d1117 }
}
</style>
<rect class="frame" x=".5" y=".5" width="${px[2]}" height="${px[3]}" rx="6"/>
SVG
    look 0
    while IFS= read -r rest; do
        column=0
        while [[ -n "$rest" ]]; do
            if [[ "$rest" =~ $escape ]]; then
                look "${BASH_REMATCH[1]}"
                rest=${rest#"${BASH_REMATCH[0]}"}
                continue
            elif [[ "$rest" =~ $bar ]]; then
                text=${BASH_REMATCH[0]}
                width=${#text}
                n_eighths=${eighths%"${text: -1}"*}
                draw_block "${color:-m}" "$column" \
                    $((((width - 1) * 8 + ${#n_eighths}) * cell / 8)) 1400
            elif [[ "$rest" =~ $blanks || "$rest" =~ $words ]]; then
                text=${BASH_REMATCH[0]}
                width=$(wc -L <<<"$text")
                [[ -z "$is_reversed" ]] || draw_block m "$column" $((width * cell)) "$line"
                [[ -z "${text// /}" ]] || draw_text "$text" "$column" "$width"
            else
                fail "cannot draw $rest"
            fi
            column=$((column + width))
            rest=${rest#"$text"}
        done
        row=$((row + 1))
    done <screen
    if ((cursor)); then
        row=$cursor_y
        draw_block m "$cursor_x" "$cell" "$line"
    fi
    echo "</svg>"
}

# A room of three, seen by Ada.
draw_join() {
    start_server --announce
    open 72 10 join "$address" --name Ada --time
    shows '\* You are "Ada"\.$'
    join Grace
    join "Guard #1"
    shows '\* Guard #1 joined\.$'
    say Grace "The moth is out of relay 70."
    shows 'Grace> The moth .* 70\.$'
    types "Tape it into the log book!"
    "${tmux[@]}" send-keys Enter
    shows 'Ada> Tape .* book!$'
    say Grace "Done, @Ada. 🦋"
    shows 'Grace> Done, '
    say "Guard #1" "Good evening. What do they keep in relay 71?"
    shows 'Guard #1> Good .* 71\?$'
    say Grace "/msg Ada More moths."
    shows '\* Grace \(to you\): More moths\.$'
    types "And then, @Gra"
    shows '^Ada> And then, @Gra$'
    draw "trio-chat join: messages above, and below them the line that Ada is typing"
}

# Both bots and two people. Bytes wait in each place where they can.
draw_watch() {
    local bar='[▏▎▍▌▋▊▉█]+'
    start_server
    join Ada
    join Grace
    start_bot slow
    start_bot spam
    open 100 10 watch "$address"
    shows ' slow +missed [0-9,]+ in all, [1-9]' \
        "^SlowBot .* listens +█+ +32 $bar +[0-9]+K $bar +[0-9.]+K? +[1-9][0-9]+$" \
        "^SpamBot .* $bar +[0-9]+K $bar +[0-9.]+K? paced 1?[0-9]{2}% " \
        '^Ada ' '^Grace '
    draw "trio-chat watch: where bytes wait for each client. SpamBot is paced: its bytes wait at its own end. SlowBot has a full outbox and misses messages. For Ada and Grace nothing waits."
}

for picture in "${pictures[@]}"; do
    "draw_$picture" >drawn
    stop
    mv drawn "$root/scripts/$picture.svg"
done
