#!/usr/bin/env bash
# tests/sanitizers/address.sh [PACKAGE..]: AddressSanitizer, and its search for leaks at the end of each
# test program, over the suites of the library.
#
# Needs a nightly toolchain; with its sources (rustup component add --toolchain nightly rust-src) the standard
# library is checked as well.
set -euo pipefail
exec "$(dirname "$0")/with.sh" address "$@"
