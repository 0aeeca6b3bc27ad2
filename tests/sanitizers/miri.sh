#!/usr/bin/env bash
# tests/sanitizers/miri.sh [FILTER..]: Miri over the unit tests of pure logic, and of what it can run of
# `vfio-user/src/sys`: it knows neither epoll with eventfds of others, nor shared mappings of files.
#
# Needs a nightly toolchain with Miri: rustup component add --toolchain nightly miri rust-src. Debian and
# crates.io do not have it.
set -euo pipefail
cd "$(dirname "$0")/../.."

filters=("$@")
[[ $# -gt 0 ]] || filters=(bus:: model:: protocol:: migration:: interrupt::model pci:: dma::log tape:: sys::atomic sys::copy)
MIRIFLAGS="-Zmiri-disable-isolation" PROPTEST_CASES=4 CARGO_INCREMENTAL=0 \
    cargo +nightly miri test --target-dir target/miri -p vfio-user --no-default-features --lib --locked -- \
    "${filters[@]}"
