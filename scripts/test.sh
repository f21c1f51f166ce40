#!/usr/bin/env bash
# Runs every check that the project has. This is the test command.
set -euo pipefail

if (($# > 0)); then
    cat <<'USAGE'
Usage: scripts/test.sh

Checks format, lints, shell scripts and documentation, then runs the unit,
property and integration tests, with the real clients that people use. What is
missing for that is installed if apt-get can do it, and named if not. Takes
about two minutes on two cores.
USAGE
    [[ "$1" == -h || "$1" == --help ]] && exit 0
    exit 2
fi

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The command that is looked for, and Debian's package that has it.
needs=(
    nc.openbsd:netcat-openbsd
    nc.traditional:netcat-traditional
    ncat:ncat
    socat:socat
    telnet:telnet
    tmux:tmux
    shellcheck:shellcheck
    prlimit:util-linux
    curl:curl
    openssl:openssl
    ssh:openssh-client
    /usr/sbin/sshd:openssh-server
    stunnel4:stunnel4
    systemd-analyze:systemd
    redis-server:redis-server
    redis-cli:redis-tools
    promtool:prometheus
)

missing_packages() {
    local need
    for need in "${needs[@]}"; do
        command -v "${need%%:*}" >/dev/null || echo "${need#*:}"
    done
}

mapfile -t missing < <(missing_packages)
if ((${#missing[@]} > 0)) && command -v apt-get >/dev/null && ((EUID == 0)); then
    echo "Installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq "${missing[@]}" >/dev/null
    mapfile -t missing < <(missing_packages)
fi
if ! command -v cargo >/dev/null; then
    missing+=("cargo (from rustup.rs)")
fi
if ((${#missing[@]} > 0)); then
    echo "test.sh: the tests need these packages, please install them: ${missing[*]}" >&2
    exit 1
fi

step() {
    echo "== $1"
    shift
    "$@"
}

SECONDS=0
step "format" cargo fmt --check
step "lints" cargo clippy --all-targets --all-features --quiet -- -D warnings
step "lints of what users build" cargo clippy --quiet -- -D warnings
step "shell scripts" shellcheck scripts/*.sh .ci/run
RUSTDOCFLAGS="-D warnings" step "documentation" cargo doc --no-deps --all-features --quiet
step "unit and property tests" cargo test --quiet --all-features --lib --bins
# The scripts under test build what users get.
step "release build with Redis" cargo build --release --quiet --features redis
step "release build" cargo build --release --quiet
# They wait more than they work.
step "integration and script tests, with real clients" cargo test --quiet --all-features --test it -- --test-threads 6
echo "All passed in $SECONDS s: format, lints, shell scripts, documentation, unit and property" \
    "tests, integration tests with nc, ncat, socat, telnet, curl, ssh, openssl and bash, script tests."
