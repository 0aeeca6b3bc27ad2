#!/usr/bin/env bash
# fuzz/build.sh: builds the fuzz targets with libFuzzer, and prints their folder.
#
# Needs g++ and any toolchain of Rust: the flags are what `cargo fuzz` passes, without a sanitizer.
# AddressSanitizer, with a nightly toolchain: `cargo +nightly fuzz run TARGET --features libfuzzer`.
set -euo pipefail
cd "$(dirname "$0")/.."

target=$(rustc -vV | sed -n 's/^host: //p')
coverage=(-Cpasses=sancov-module)
for option in level=4 inline-8bit-counters pc-table trace-compares; do
    coverage+=("-Cllvm-args=-sanitizer-coverage-$option")
done
# With a target, the flags do not reach build scripts and macros. To optimize `vfu` takes longer than to
# fuzz it as it is.
RUSTFLAGS="${coverage[*]}" CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_INCREMENTAL=0 \
    cargo build --package vfio-user-fuzz --features libfuzzer --bins --locked \
    --config profile.dev.package.vfio-user-cli.opt-level=0 \
    --target "$target" --target-dir target/fuzz >&2
echo "target/fuzz/$target/debug"
