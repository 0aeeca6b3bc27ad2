#!/usr/bin/env bash
# tests/sanitizers/address.sh [PACKAGE..]: AddressSanitizer, and its search for leaks at the end of each
# test program, over the suites of the library and of the C interface.
#
# Needs a nightly toolchain with its sources: rustup component add --toolchain nightly rust-src
set -euo pipefail
exec "$(dirname "$0")/with.sh" address "$@"
