#!/usr/bin/env bash
# tests/sanitizers/with.sh SANITIZER [TOPIC..]: runs `lib`, the unit tests, and topics of `vfio-user/tests` and
# `tests/tests`, all of them unless said otherwise, with a sanitizer, which also checks the standard library. It then
# prints what any process has reported. The other scripts of this folder call it.
#
# Not the C interface: gcc links programs to a sanitizer of its own, and not to that of LLVM.
set -euo pipefail
cd "$(dirname "$0")/../.."

sanitizer=$1
topics=("${@:2}")
# A sanitizer allocates, calls the system, reserves addresses and opens files itself: what counts or
# limits these for the whole process cannot pass. Real guests need hours.
skipped=(allocations descriptor_limit dma_budget guest map_count syscalls)
if [[ ${#topics[@]} = 0 ]]; then
    topics=(lib)
    for path in {vfio-user,tests}/tests/{*.rs,*/main.rs}; do
        topic=$(basename "${path%/main.rs}" .rs)
        [[ " ${skipped[*]} " == *" $topic "* ]] || topics+=("$topic")
    done
fi
tests=()
for topic in "${topics[@]}"; do
    if [[ $topic = lib ]]; then tests+=(--lib); else tests+=(--test "$topic"); fi
done

RUSTC=$(tests/sanitizers/sysroot.sh)
target=$(rustc -vV | sed -n 's/^host: //p')
reports=$PWD/target/$sanitizer/reports
rm -rf "$reports"
mkdir -p "$reports"
export RUSTC RUSTFLAGS="-Zsanitizer=$sanitizer" CARGO_INCREMENTAL=0
# With an unoptimized standard library a backtrace takes longer than clients wait for a device that panics.
export RUST_BACKTRACE=0
export ASAN_OPTIONS="log_path=$reports/asan" TSAN_OPTIONS="log_path=$reports/tsan"

status=0
cargo +nightly test -Zbuild-std --target "$target" --target-dir "target/$sanitizer" --locked --no-fail-fast \
    -p vfio-user -p vfio-user-tests --features vfio-user/vm-memory "${tests[@]}" || status=$?
for report in "$reports"/*; do
    [[ -f $report ]] || continue
    cat "$report" >&2
    status=1
done
exit "$status"
