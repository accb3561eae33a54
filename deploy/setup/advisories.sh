#!/usr/bin/env bash
# Audits what ships against RustSec advisories and lets the severity gate judge it, together with the reports of other
# scanners that are named: advisories.sh [REPORT.json …]. The database is the one that ADVISORY_DB names (a git checkout,
# or a .tar.gz of one), else the live one. Neither to be had is a failure, never a skip.
# The exit code is the gate's: 0 passed, 1 blocked, 2 no judgement. The reports stay in target/advisories.
set -euo pipefail
cd "$(dirname "$0")/../.."

reports=target/advisories
rm -rf "$reports"
mkdir -p "$reports"
audit=(cargo audit --json)

if [ -n "${ADVISORY_DB:-}" ]; then
    db=$ADVISORY_DB
    if [ -f "$db" ]; then
        unpacked=$(mktemp -d)
        trap 'rm -rf "$unpacked"' EXIT
        tar -xzf "$db" -C "$unpacked"
        db=$(dirname "$(find "$unpacked" -maxdepth 3 -name .git -print -quit)")
    fi
    [ -d "$db/crates" ] || { echo "advisories: ADVISORY_DB=$ADVISORY_DB holds no advisory database (no folder 'crates')" >&2; exit 2; }
    git config --global --get-all safe.directory 2>/dev/null | grep -qxF "$db" || export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0="$db"
    audit+=(--no-fetch --stale --db "$db")
fi

cargo build --quiet -p mintmark-security-gate
gate=${CARGO_TARGET_DIR:-target}/debug

# What ships: no development dependencies, and not the crate that only holds tests.
cargo tree --locked --workspace --exclude mintmark-tests --target all --edges normal,build --prefix none --format '{p}' |
    "$gate/shipped-lock" Cargo.lock >"$reports/shipped.lock"

# It exits 1 where it finds something and where it could not run: the report tells which, and the gate reads it.
"${audit[@]}" --file "$reports/shipped.lock" >"$reports/audit-report.json" || true

files=(--file "$reports/audit-report.json")
for report in "$@"; do files+=(--file "$report"); done
verdict=0
"$gate/security-gate" "${files[@]}" --threshold high --exceptions .github/security-exceptions.toml || verdict=$?
if [ "$verdict" = 2 ]; then
    echo "advisories: there is no judgement; if the live database could not be fetched, set ADVISORY_DB to a checkout of it" >&2
fi
[ "$verdict" = 0 ] || exit "$verdict"

# Development dependencies do not block, but somebody should know.
"${audit[@]}" --file Cargo.lock >"$reports/development-report.json" || true
"$gate/security-gate" --file "$reports/development-report.json" >"$reports/development.txt" || verdict=$?
if [ "$verdict" != 0 ]; then
    cat "$reports/development.txt"
    echo "advisories: the above is in development dependencies alone, or excepted in what ships; it does not block" >&2
fi
[ "$verdict" != 2 ] || exit 2
