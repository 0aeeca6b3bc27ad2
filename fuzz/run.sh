#!/usr/bin/env bash
# fuzz/run.sh [--minutes=N] [--minimize] [TARGET..]: fuzzes the targets, one after the other, an hour in
# all unless said otherwise, and prints for each what it has tried.
#
# Inputs that are new are kept in target/fuzz/found/TARGET for the next run, those that fail in
# target/fuzz/failed/TARGET. `--minimize` replaces the corpora, fuzz/corpus/TARGET, by the fewest inputs
# that reach as much.
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=60 minimize=false targets=()
for argument in "$@"; do
    case $argument in
        --minutes=*) minutes=${argument#*=} ;;
        --minimize) minimize=true ;;
        -*) sed -n 's/^# \?//p' "$0" | head -7 >&2; exit 2 ;;
        *) targets+=("$argument") ;;
    esac
done
if [[ ${#targets[@]} = 0 ]]; then
    for folder in fuzz/corpus/*/; do targets+=("$(basename "$folder")"); done
fi
programs=$(fuzz/build.sh)
seconds=$((minutes * 60 / ${#targets[@]}))

# An input of 4 KiB takes less than 10 seconds and less than a gibibyte.
limits=(-max_len=4096 -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=512)
for target in "${targets[@]}"; do
    found=target/fuzz/found/$target failed=target/fuzz/failed/$target
    mkdir -p "$found" "$failed"
    log=target/fuzz/$target.log
    if ! "$programs/$target" "${limits[@]}" -max_total_time="$seconds" -print_final_stats=1 \
        -artifact_prefix="$failed/" "$found" "fuzz/corpus/$target" >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        echo "$target: an input failed, see $log and $failed" >&2
        exit 1
    fi
    executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    echo "$target: $executed inputs in $seconds s, $(ls "$found" | wc -l) kept"
    if [[ $minimize = true ]]; then
        fewest=$(mktemp -d)
        "$programs/$target" "${limits[@]}" -merge=1 -max_len=512 "$fewest" "fuzz/corpus/$target" "$found" \
            >>"$log" 2>&1
        rm -r "fuzz/corpus/$target"
        mv "$fewest" "fuzz/corpus/$target"
    fi
done
