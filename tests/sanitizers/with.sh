#!/usr/bin/env bash
# tests/sanitizers/with.sh SANITIZER [PACKAGE..]: runs tests with a sanitizer, the standard library
# included if its sources are there. The other scripts of this folder call it.
set -euo pipefail
cd "$(dirname "$0")/../.."

sanitizer=$1
shift
packages=("${@:-vfio-user}")
# Not the C interface: gcc links programs to a sanitizer of its own, and not to that of LLVM.
[[ $# -gt 0 ]] || packages=(vfio-user vfio-user-tests)
target=$(rustc -vV | sed -n 's/^host: //p')
# A sanitizer allocates, calls the system, reserves addresses and opens files itself: what counts or
# limits these for the whole process cannot pass. Real guests need hours.
skipped=(allocations syscalls descriptor_limit dma_budget map_count guest)
skip=()
for test in "${skipped[@]}"; do skip+=(--skip "$test"); done

std=()
if [[ -d $(rustc +nightly --print sysroot)/lib/rustlib/src/rust/library ]]; then
    std=(-Zbuild-std)
elif [[ $sanitizer = thread ]]; then
    echo "without rust-src the standard library synchronizes threads unseen: every lock would be reported" >&2
    exit 1
fi

RUSTFLAGS="-Zsanitizer=$sanitizer" CARGO_INCREMENTAL=0 TSAN_OPTIONS="halt_on_error=1" \
    cargo +nightly test "${std[@]}" --target "$target" --target-dir "target/$sanitizer" \
    "${packages[@]/#/--package=}" --lib --tests --no-fail-fast --locked -- "${skip[@]}"
