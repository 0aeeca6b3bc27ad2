#!/usr/bin/env bash
# tests/sanitizers/address.sh [TOPIC..]: AddressSanitizer, and its search for leaks at the end of each test
# program, over the suites of the library: address.sh lib dma
#
# Needs a nightly toolchain, and what sysroot.sh needs.
set -euo pipefail
exec "$(dirname "$0")/with.sh" address "$@"
