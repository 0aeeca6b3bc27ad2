#!/usr/bin/env bash
# Instructions of a register access, of a request over a socket and of accesses to memory, as callgrind
# counts them: exact, whatever else the machine does. Needs valgrind.
#
# instructions.sh           prints the figures
# instructions.sh --record  writes them to instructions.txt
# instructions.sh --check   fails if one is more than 5 % above that record, of the same compiler
set -euo pipefail
cd "$(dirname "$0")/.."

record=benches/instructions.txt
cargo build --quiet --release --locked -p vfio-user-benches --bin dispatch --bin requests --bin dma
programs=${CARGO_TARGET_DIR:-target}/release

# The instructions of a whole run of a program.
count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$programs/$1" "${@:2}" 2>&1 >/dev/null |
        sed -n 's/.*Collected : //p'
}

# Two runs that differ by 10,000 steps: start and end cancel out. A step has $1 accesses.
each() {
    local few many
    few=$(count "${@:2}" 1000)
    many=$(count "${@:2}" 11000)
    echo $(((many - few) / 10000 / $1))
}

figures() {
    echo "compiler $(rustc --version | cut -d' ' -f2) $(uname -m)"
    # A step is a write and a read.
    for registers in 16 1024; do
        echo "access-derived-$registers $(each 2 dispatch derived $registers)"
        echo "access-by-hand-$registers $(each 2 dispatch by-hand $registers)"
    done
    echo "access-observed-16 $(each 2 dispatch observed 16)"
    # The client's part is the same for every server.
    for access in read write; do
        echo "request-$access $(each 1 requests $access)"
    done
    # A worker publishes 16 bytes, holds a page and releases it, reads 64 bytes of a ring.
    for step in publish hold ring; do
        echo "dma-$step $(each 1 dma $step)"
    done
}

check() {
    local name value recorded failed=0
    while read -r name value; do
        recorded=$(sed -n "s/^$name //p" $record)
        if [[ $name == compiler* ]]; then
            [[ $value == "$recorded" ]] && continue
            echo "*** SKIPPED: $record is of compiler $recorded, this is $value ***"
            return
        fi
        echo "$name $value (recorded: $recorded)"
        if ((value * 100 > recorded * 105)); then
            echo "$name has grown by more than 5 %" >&2
            failed=1
        fi
    done
    return $failed
}

case ${1:-} in
    --record) figures >$record ;;
    --check) figures | check ;;
    *) figures ;;
esac
