#!/usr/bin/env bash
# Instructions of one register access, derived and by hand, as callgrind counts them: exact, whatever
# else the machine does. Needs valgrind.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --quiet --release -p vfio-user-benches
program=${CARGO_TARGET_DIR:-target}/release/dispatch

# The instructions of a whole run.
count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$@" 2>&1 >/dev/null |
        sed -n 's/.*Collected : //p'
}

# Two runs that differ by 10,000 writes and reads: start and end cancel out.
per_access() {
    local few many
    few=$(count "$1" "$2" 1000)
    many=$(count "$1" "$2" 11000)
    echo $(((many - few) / 20000))
}

for registers in 16 1024; do
    derived=$(per_access derived $registers)
    by_hand=$(per_access by-hand $registers)
    printf '%5d registers: derived %3d, by hand %3d, ratio %d.%02d\n' "$registers" "$derived" "$by_hand" \
        $((derived / by_hand)) $((derived * 100 / by_hand % 100))
done
