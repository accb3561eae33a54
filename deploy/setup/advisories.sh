#!/usr/bin/env bash
# Checks Cargo.lock against RustSec advisories: the database that ADVISORY_DB names (a git checkout, or a
# .tar.gz of one), else the live one. Neither to be had is a failure, never a skip.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ -z "${ADVISORY_DB:-}" ]; then
    if ! cargo audit --deny warnings; then
        echo "advisories: an advisory matched, or the live database could not be fetched; offline, set ADVISORY_DB to a checkout of the advisory database" >&2
        exit 1
    fi
    exit 0
fi

db=$ADVISORY_DB
if [ -f "$db" ]; then
    unpacked=$(mktemp -d)
    trap 'rm -rf "$unpacked"' EXIT
    tar -xzf "$db" -C "$unpacked"
    db=$(dirname "$(find "$unpacked" -maxdepth 3 -name .git -print -quit)")
fi
[ -d "$db/crates" ] || { echo "advisories: ADVISORY_DB=$ADVISORY_DB holds no advisory database (no folder 'crates')" >&2; exit 1; }
git config --global --get-all safe.directory 2>/dev/null | grep -qxF "$db" || export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0="$db"
cargo audit --no-fetch --stale --db "$db" --deny warnings
