#!/usr/bin/env bash
# tests/sanitizers/thread.sh [PACKAGE..]: ThreadSanitizer over the suites of the library.
#
# Needs a nightly toolchain with its sources: rustup component add --toolchain nightly rust-src
set -euo pipefail
exec "$(dirname "$0")/with.sh" thread "$@"
