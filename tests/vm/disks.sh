#!/usr/bin/env bash
# disks.sh: measure disks of ours in a guest, beside QEMU's own.
#
#   disks.sh [-- OPTION of boot.sh ...]
#
# Boots one guest with the examples nvme and virtio-blk (without --poll), QEMU's
# nvme and QEMU's virtio-blk, each with a file in /dev/shm. Measures random reads
# of 4 KiB at depths 1 and 32, and sequential reads of 1 MiB, in three
# alternating rounds, and prints the medians in reads a second. A ratio is our
# rate divided by QEMU's. Run prepare.sh first. DISK_SECONDS: seconds of a
# measurement [1].
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ "${1:-}" != -- ] || shift

cargo build --quiet --release --manifest-path "$here/../../Cargo.toml" \
    --package vfio-user-examples --bin nvme --bin virtio-blk
programs=${CARGO_TARGET_DIR:-$here/../../target}/release

tmp=$(mktemp -d /dev/shm/disks.XXXXXX)
servers=()
cleanup() {
    kill "${servers[@]}" 2>/dev/null || true
    rm -rf "$tmp"
}
trap cleanup EXIT
for name in nvme virtio-blk qemu-nvme qemu-virtio; do
    head -c 256M /dev/urandom >"$tmp/$name.img"
done
for name in nvme virtio-blk; do
    "$programs/$name" --socket-path="$tmp/$name.sock" --disk="$tmp/$name.img" &
    servers+=($!)
done

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
for slot in 05 06 07 08; do
    ln -s "$(disk $slot)" /tmp/disk-$slot
done
median() { sort -n | sed -n 2p; }
printf '%-24s %-10s %10s %10s %8s\n' 'reads a second' disk ours qemu ratio
measure() {
    name=$1; shift
    rm -f /tmp/reads-*
    for round in 1 2 3; do
        for slot in 05 06 07 08; do
            disk-io /tmp/disk-$slot "$@" $seconds >>/tmp/reads-$slot
        done
    done
    for pair in 'nvme 05 06' 'virtio-blk 07 08'; do
        set -- $pair
        awk -v name="$name" -v kind=$1 -v o=$(median </tmp/reads-$2) -v q=$(median </tmp/reads-$3) \
            'BEGIN { printf "%-24s %-10s %10d %10d %8.2f\n", name, kind, o, q, o / q }'
    done
}
measure '4 KiB at random, 1' 4096 1 random
measure '4 KiB at random, 32' 4096 32 random
measure '1 MiB in sequence, 1' 1048576 1 sequential
SCRIPT
"$here/boot.sh" --timeout 300 --script "$tmp/script.sh" "$@" \
    --device "$tmp/nvme.sock,addr=5.0" --device "$tmp/virtio-blk.sock,addr=7.0" -- \
    -drive "file=$tmp/qemu-nvme.img,format=raw,if=none,id=nvme" \
    -device nvme,drive=nvme,serial=qemu,addr=6.0 \
    -drive "file=$tmp/qemu-virtio.img,format=raw,if=none,id=virtio" \
    -device virtio-blk-pci,drive=virtio,addr=8.0
