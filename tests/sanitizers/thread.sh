#!/usr/bin/env bash
# tests/sanitizers/thread.sh [TOPIC..]: ThreadSanitizer over the suites of the library: thread.sh lib dma
#
# Needs a nightly toolchain, and what sysroot.sh needs.
set -euo pipefail
exec "$(dirname "$0")/with.sh" thread "$@"
