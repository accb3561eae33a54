#!/usr/bin/env bash
# Runs the fuzz targets, each for FUZZ_SECONDS (default 60), by a seed that it prints.
# Usage: run.sh [TARGET…]; FUZZ_SEED=N repeats a run as far as threads allow.
# What libFuzzer finds lies in tests/fuzz/artifacts/TARGET: copy it into tests/fuzzing/corpus/TARGET with a name that says
# what it is, and mend the program.
set -euo pipefail

cd "$(dirname "$0")"
seconds=${FUZZ_SECONDS:-60}
seed=${FUZZ_SEED:-$((RANDOM * 32768 + RANDOM + 1))}
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(sed -nE '/^\[\[bin\]\]/{n;s/^name = "(.*)"/\1/p}' Cargo.toml)

# libFuzzer wants instrumentation that a stable compiler has and does not offer.
rustc --version | grep -q nightly || export RUSTC_BOOTSTRAP=1
# Our code is safe Rust: coverage alone finds what can be found, and the address sanitizer would halve the speed.
options=(--dev --sanitizer none --fuzz-dir .)
echo "fuzz: ${targets[*]}, $seconds s each, FUZZ_SEED=$seed"
for target in "${targets[@]}"; do
    mkdir -p "corpus/$target"
    echo "fuzz: $target"
    cargo fuzz run "${options[@]}" "$target" "corpus/$target" "../fuzzing/corpus/$target" -- \
        -max_total_time="$seconds" -seed="$seed" -max_len=4096 -timeout=60 -rss_limit_mb=4096 -print_final_stats=1 ||
        { echo "fuzz: $target failed with FUZZ_SEED=$seed: the input lies in tests/fuzz/artifacts/$target" >&2; exit 1; }
done
echo "fuzz: nothing was found in ${#targets[@]} target(s), FUZZ_SEED=$seed"
