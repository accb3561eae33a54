#!/usr/bin/env bash
# Installs what the build, the tests and the checks need, and nothing that is already there.
# Usage: setup.sh build | setup.sh check
set -euo pipefail

want=${1:-build}
tools_dir=$(cd "$(dirname "$0")/../.." && pwd)/target/tools
buf_version=1.75.0
cargo_deny_version=0.20.2
cargo_audit_version=0.22.2

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else fail "'$*' needs root: run it as root or install sudo, then run make again"
    fi
}

postgres_bin() {
    local dir
    for dir in $(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin 2>/dev/null | sort -Vr); do
        [ -x "$dir/initdb" ] && { echo "$dir"; return 0; }
    done
    command -v initdb >/dev/null && dirname "$(command -v initdb)"
}

missing_packages() {
    command -v cc >/dev/null || echo build-essential
    postgres_bin >/dev/null || echo postgresql
    if [ "$want" = check ]; then
        command -v npm >/dev/null || echo nodejs npm
        command -v git >/dev/null || echo git
    fi
    return 0
}

packages=$(missing_packages | tr '\n' ' ')
if [ -n "${packages// /}" ]; then
    command -v apt-get >/dev/null ||
        fail "this system has no apt-get: install a C compiler, PostgreSQL 15 or newer$([ "$want" = check ] && echo ', Node.js with npm'), then run make again (missing here: $packages)"
    say "installing $packages"
    case " $packages " in *" postgresql "*)
        # Debian starts a cluster of its own when the package arrives; ours is private, so ask it not to.
        as_root mkdir -p /etc/postgresql-common/createcluster.d
        echo "create_main_cluster = false" | as_root tee /etc/postgresql-common/createcluster.d/mintmark.conf >/dev/null ;;
    esac
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
fi

command -v cargo >/dev/null ||
    fail "no Rust compiler: install Rust 1.95 or newer with rustup, open a new shell, then run make again"
rust=$(rustc --version | sed -E 's/^rustc ([0-9]+)\.([0-9]+).*/\1 \2/')
read -r rust_major rust_minor <<<"$rust"
[ "$rust_major" -gt 1 ] || [ "$rust_minor" -ge 95 ] ||
    fail "Rust 1.95 or newer is needed, this is $(rustc --version | cut -d' ' -f2): run 'rustup update', then make again"

[ "$want" = check ] || exit 0

cargo clippy --version >/dev/null 2>&1 && cargo fmt --version >/dev/null 2>&1 ||
    fail "clippy or rustfmt is missing: run 'rustup component add clippy rustfmt', then make again"

cargo_tool() { # name, version
    local have
    have=$("$1" --version 2>/dev/null | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n1 || true)
    [ "$have" = "$2" ] && return 0
    say "building $1 $2 (a few minutes, once)"
    CARGO_TARGET_DIR="$tools_dir/build" cargo install --locked --debug --quiet "$1@$2"
}
cargo_tool cargo-deny $cargo_deny_version
cargo_tool cargo-audit $cargo_audit_version

if [ "$("$tools_dir/node_modules/.bin/buf" --version 2>/dev/null || true)" != "$buf_version" ]; then
    say "installing buf $buf_version"
    mkdir -p "$tools_dir"
    npm install --silent --no-audit --no-fund --no-package-lock --prefix "$tools_dir" "@bufbuild/buf@$buf_version" >/dev/null
fi
