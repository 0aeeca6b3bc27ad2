#!/usr/bin/env bash
# fuzz/run.sh [--minutes=N | --seconds-each=N] [--jobs=N] [--seed=N] [--minimize] [TARGET..]: fuzzes the
# targets, an hour in all unless said otherwise, and prints for each what it has tried. `.ci/run` calls
# it as well.
#
# `--jobs` is how many targets run at once, one unless said otherwise. The same `--seed` tries about the
# same inputs again; without it each run tries others. Inputs that are new are kept in
# target/fuzz/found/TARGET for the next run, those that fail in target/fuzz/failed/TARGET; the run then
# prints them, goes on with the other targets, and fails. `--minimize` replaces the corpora,
# fuzz/corpus/TARGET, by the fewest inputs that reach as much.
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=60 seconds='' jobs=1 seed=0 minimize=false targets=()
for argument in "$@"; do
    case $argument in
        --minutes=*) minutes=${argument#*=} ;;
        --seconds-each=*) seconds=${argument#*=} ;;
        --jobs=*) jobs=${argument#*=} ;;
        --seed=*) seed=${argument#*=} ;;
        --minimize) minimize=true ;;
        -*) sed -n '2,/^set/s/^# \?//p' fuzz/run.sh >&2; exit 2 ;;
        *) targets+=("$argument") ;;
    esac
done
if [[ ${#targets[@]} = 0 ]]; then
    for folder in fuzz/corpus/*/; do targets+=("$(basename "$folder")"); done
fi
# Targets that run at once share the time.
: "${seconds:=$((minutes * 60 * jobs / ${#targets[@]}))}"
programs=$(fuzz/build.sh)

libfuzzer() { # TARGET ARGUMENT..: an input of 4 KiB takes less than 10 seconds and less than a gibibyte
    "$programs/$1" -max_len=4096 -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=512 "${@:2}"
}

fuzz() { # TARGET
    local found=target/fuzz/found/$1 failed=target/fuzz/failed/$1 log=target/fuzz/$1.log executed
    mkdir -p "$found" "$failed"
    if ! libfuzzer "$1" -seed="$seed" -max_total_time="$seconds" -print_final_stats=1 \
        -artifact_prefix="$failed/" "$found" "fuzz/corpus/$1" >"$log" 2>&1; then
        report "$1" "$log" >&2
        return 1
    fi
    executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    echo "$1: $executed inputs in $seconds s, $(ls "$found" | wc -l) kept"
    if [[ $minimize = true ]]; then minimize "$1"; fi
}

report() { # TARGET LOG: prints what has failed, and how to play it again without the files of this run
    local input
    printf '%s\n' "$1 failed; the end of $2:" "$(tail -n 40 "$2")"
    input=$(sed -n 's/.*Test unit written to //p' "$2" | tail -n 1)
    if [[ -n $input ]]; then
        printf '%s\n' "$1 failed; play its input again:" \
            "base64 -d <<<$(base64 -w 0 "$input") >target/$1-input" \
            "\$(fuzz/build.sh)/$1 target/$1-input"
    fi
}

minimize() { # TARGET
    local fewest
    fewest=$(mktemp -d)
    libfuzzer "$1" -merge=1 -max_len=512 "$fewest" "fuzz/corpus/$1" "target/fuzz/found/$1" \
        >>"target/fuzz/$1.log" 2>&1
    rm -r "fuzz/corpus/$1"
    mv "$fewest" "fuzz/corpus/$1"
}

export seconds seed minimize programs
export -f libfuzzer fuzz report minimize
# After a target that fails, xargs runs the others, and fails.
printf '%s\n' "${targets[@]}" | xargs -n 1 -P "$jobs" bash -euo pipefail -c 'fuzz "$0"'
