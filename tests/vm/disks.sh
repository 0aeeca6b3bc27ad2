#!/usr/bin/env bash
# disks.sh: measure disks of ours in a guest, beside QEMU's own.
#
#   disks.sh [-- OPTION of boot.sh ...]
#
# Boots one guest with the nvme example (without --poll), QEMU's nvme and QEMU's
# virtio-blk, each with a file in /dev/shm. Measures random reads of 4 KiB at
# depths 1 and 32, and sequential reads of 1 MiB, in three alternating rounds,
# and prints the medians in reads a second. A ratio is our rate divided by
# QEMU's. Run prepare.sh first. DISK_SECONDS: seconds of a measurement [1].
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ "${1:-}" != -- ] || shift

cargo build --quiet --release --manifest-path "$here/../../Cargo.toml" \
    --package vfio-user-examples --bin nvme
nvme=${CARGO_TARGET_DIR:-$here/../../target}/release/nvme

tmp=$(mktemp -d /dev/shm/disks.XXXXXX)
servers=()
cleanup() {
    kill "${servers[@]}" 2>/dev/null || true
    rm -rf "$tmp"
}
trap cleanup EXIT
for name in ours nvme virtio; do
    head -c 256M /dev/urandom >"$tmp/$name.img"
done
"$nvme" --socket-path="$tmp/ours.sock" --disk="$tmp/ours.img" &
servers+=($!)

cat >"$tmp/script.sh" <<SCRIPT
set -e
seconds=${DISK_SECONDS:-1}
SCRIPT
cat >>"$tmp/script.sh" <<'SCRIPT'
modprobe nvme
modprobe virtio_blk
echo "guest: linux $(uname -r)"
# Waits for the disk of a PCI device.
disk() {
    for i in $(seq 100); do
        for block in /sys/block/*; do
            case $(readlink -f $block/device) in
                */0000:00:$1.0/*) echo /dev/${block##*/}; return ;;
            esac
        done
        sleep 0.1
    done
}
ours=$(disk 05) nvme=$(disk 06) virtio=$(disk 07)
median() { sort -n | sed -n 2p; }
printf '%-28s %12s %12s %12s %8s %8s\n' 'reads a second' ours 'qemu nvme' virtio-blk '/ nvme' '/ virtio'
measure() {
    name=$1; shift
    rm -f /tmp/ours /tmp/nvme /tmp/virtio
    for round in 1 2 3; do
        disk-io $ours "$@" $seconds >>/tmp/ours
        disk-io $nvme "$@" $seconds >>/tmp/nvme
        disk-io $virtio "$@" $seconds >>/tmp/virtio
    done
    set -- $(median </tmp/ours) $(median </tmp/nvme) $(median </tmp/virtio)
    awk -v name="$name" -v o=$1 -v n=$2 -v v=$3 'BEGIN {
        printf "%-28s %12d %12d %12d %8.2f %8.2f\n", name, o, n, v, o / n, o / v }'
}
measure '4 KiB at random, 1' 4096 1 random
measure '4 KiB at random, 32' 4096 32 random
measure '1 MiB in sequence, 1' 1048576 1 sequential
SCRIPT
"$here/boot.sh" --timeout 300 --script "$tmp/script.sh" "$@" \
    --device "$tmp/ours.sock,addr=5.0" -- \
    -drive "file=$tmp/nvme.img,format=raw,if=none,id=nvme" \
    -device nvme,drive=nvme,serial=qemu,addr=6.0 \
    -drive "file=$tmp/virtio.img,format=raw,if=none,id=virtio" \
    -device virtio-blk-pci,drive=virtio,addr=7.0
