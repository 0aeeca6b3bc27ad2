#!/usr/bin/env bash
# tests/sanitizers/with.sh SANITIZER [PACKAGE..]: runs tests with a sanitizer, the standard library
# included. The other scripts of this folder call it.
set -euo pipefail
cd "$(dirname "$0")/../.."

sanitizer=$1
shift
packages=("${@:-vfio-user}")
[[ $# -gt 0 ]] || packages=(vfio-user vfio-user-tests vfio-user-capi)
target=$(rustc -vV | sed -n 's/^host: //p')
# A sanitizer allocates, calls the system, reserves addresses and opens files itself: what counts or
# limits these for the whole process cannot pass. Real guests need hours.
skipped=(allocations syscalls descriptor_limit dma_budget map_count guest)
skip=()
for test in "${skipped[@]}"; do skip+=(--skip "$test"); done

RUSTFLAGS="-Zsanitizer=$sanitizer" CARGO_INCREMENTAL=0 TSAN_OPTIONS="halt_on_error=1" \
    cargo +nightly test -Zbuild-std --target "$target" --target-dir "target/$sanitizer" \
    "${packages[@]/#/--package=}" --lib --tests --no-fail-fast --locked -- "${skip[@]}"
