#!/usr/bin/env bash
# tests/sanitizers/loom.sh: every order in which threads can run the lock-free parts of the library, by
# loom. `.ci/run` does the same.
#
# Needs nothing but cargo.
set -euo pipefail
cd "$(dirname "$0")/../.."

RUSTFLAGS="--cfg loom" cargo test -p vfio-user --no-default-features --lib --locked --target-dir target/loom interleavings
