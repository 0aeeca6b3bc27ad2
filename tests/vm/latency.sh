#!/usr/bin/env bash
# latency.sh: measure what an access to a device costs a guest.
#
#   latency.sh [-- OPTION of boot.sh ...]
#
# Reads of a BAR trap and wait for the server; writes trap, and QEMU posts them
# unless told otherwise; configuration space is always waited for. The device is
# the trivial example, built for release: its scratch register.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ "${1:-}" != -- ] || shift

cargo build --quiet --release --manifest-path "$here/../../Cargo.toml" \
    --package vfio-user-examples --bin trivial
trivial=${CARGO_TARGET_DIR:-$here/../../target}/release/trivial

tmp=$(mktemp -d)
servers=()
cleanup() {
    kill "${servers[@]}" 2>/dev/null || true
    rm -rf "$tmp"
}
trap cleanup EXIT
for name in posted waited; do
    "$trivial" --socket-path="$tmp/$name.sock" &
    servers+=($!)
done

cat >"$tmp/script.sh" <<'SCRIPT'
set -e
devices=/sys/bus/pci/devices
echo "guest: linux $(uname -r)"
mmio-lat r $devices/0000:00:05.0/resource0 4
mmio-lat w $devices/0000:00:05.0/resource0 4
echo "not posted:"
mmio-lat w $devices/0000:00:06.0/resource0 4
echo "configuration space:"
mmio-lat r $devices/0000:00:05.0/config 0 4 20000
mmio-lat w $devices/0000:00:05.0/config 0x3c 1 20000
SCRIPT
"$here/boot.sh" --script "$tmp/script.sh" "$@" \
    --device "$tmp/posted.sock,addr=5.0" \
    --device "$tmp/waited.sock,addr=6.0,x-no-posted-writes=on"
