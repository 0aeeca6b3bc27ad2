#!/usr/bin/env bash
# boot.sh: boot a Linux guest with vfio-user devices and run a script in it.
#
#   boot.sh --script guest.sh --device /path/to/server.sock [--device ...]
#
# The guest's script runs as root with busybox, lspci, setpci, modprobe, gpiod,
# nvme, the modules of prepare.sh and the programs of guest/. Its output appears
# here as it is written, and its exit status is ours. Other statuses: 2 usage,
# 124 the guest was killed at the timeout, 125 it ended without a status.
#
#   --script FILE        what to run in the guest (sh)
#   --command TEXT       the same, given here
#   --device SOCK[,k=v]  a vfio-user server's UNIX socket, and properties of
#                        vfio-user-pci (addr=5.0, x-msg-timeout=20000 ...)
#   --file SRC[:DST]     a host file to put in the guest [/home/NAME], with
#                        its mode; programs are best linked statically
#   --mem SIZE           guest memory [256M], shared with the servers
#   --private-mem        memory without a descriptor: servers cannot map it
#                        and have to use DMA messages
#   --accel kvm|tcg      [what prepare.sh found to work]
#   --machine M          q35 (PCIe: extended config space), pc    [q35]
#   --port               a PCIe root port for each device, not the root bus
#   --iommu              a virtual IOMMU: servers see DMA maps come and go; q35
#   --reboot             let the guest reboot; it runs the script again then
#   --timeout S          kill the guest after S seconds [60]
#   --append TEXT        more kernel command line
#   --log FILE           keep the kernel's console there; its end is shown when
#                        the guest fails
#   -- ARG...            more arguments for QEMU
#
# VM_DIR: where prepare.sh put things [$XDG_CACHE_HOME/vfio-user-vm].
set -euo pipefail

VM_DIR=${VM_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/vfio-user-vm}
say() { printf 'boot: %s\n' "$*" >&2; }
usage() { say "$*"; exit 2; }

script='' command='' devices=() files=() extra=()
mem=256M accel='' machine=q35 timeout=60 append='' log=''
port='' iommu='' private='' reboot=''
while [ $# -gt 0 ]; do
    opt=$1; shift
    case $opt in
        --port) port=1; continue ;;
        --iommu) iommu=1; continue ;;
        --private-mem) private=1; continue ;;
        --reboot) reboot=1; continue ;;
        --) extra=("$@"); break ;;
        -h | --help) sed -n '2,/^set /{s/^# \{0,1\}//;/^set /d;p}' "$0"; exit 0 ;;
    esac
    [ $# -gt 0 ] || usage "$opt needs a value, or is unknown"
    case $opt in
        --script) script=$1 ;;
        --command) command=$1 ;;
        --device) devices+=("$1") ;;
        --file) files+=("$1") ;;
        --mem) mem=$1 ;;
        --accel) accel=$1 ;;
        --machine) machine=$1 ;;
        --timeout) timeout=$1 ;;
        --append) append=$1 ;;
        --log) log=$1 ;;
        *) usage "unknown option $opt" ;;
    esac
    shift
done
[ -n "$script$command" ] || usage "--script or --command, please"
[ -z "$script" ] || [ -r "$script" ] || usage "cannot read $script"
[ -s "$VM_DIR/guest.cpio" ] || usage "run prepare.sh first (VM_DIR=$VM_DIR)"
[ -n "$accel" ] || accel=$(cat "$VM_DIR/accel")

tmp=$(mktemp -d)
qemu=''
# shellcheck disable=SC2317 # the trap calls it
cleanup() {
    [ -z "$qemu" ] || kill "$qemu" 2>/dev/null || true
    rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
[ -n "$log" ] || log=$tmp/console

# --- the initramfs: the root, our programs, this guest's script and files ---

mkdir -p "$tmp/files/home"
if [ -n "$script" ]; then
    cp "$script" "$tmp/files/run.sh"
else
    printf '%s\n' "$command" >"$tmp/files/run.sh"
fi
for file in ${files[@]+"${files[@]}"}; do
    from=${file%%:*} to=/home/$(basename "${file%%:*}")
    [ "$file" = "$from" ] || to=${file#*:}
    mkdir -p "$tmp/files$(dirname "$to")"
    cp -pL "$from" "$tmp/files$to"
done
{
    cat "$VM_DIR/root.cpio" "$VM_DIR/guest.cpio"
    cd "$tmp/files" && find . -mindepth 1 |
        "$VM_DIR/sysroot/usr/bin/busybox" cpio -o -H newc -R 0:0 2>/dev/null
} >"$tmp/initrd"

# --- QEMU's command line ---------------------------------------------------

kernel=$VM_DIR/vmlinux cpu=qemu64
[ -e "$kernel" ] || kernel=$VM_DIR/vmlinuz
[ "$accel" != kvm ] || cpu=host
if [ -n "$iommu" ]; then
    append="intel_iommu=on $append"
    [ "$accel" != kvm ] || machine+=,kernel-irqchip=split
fi
ram=memory-backend-memfd,id=ram,size=$mem,share=on
[ -z "$private" ] || ram=memory-backend-ram,id=ram,size=$mem
quick="quiet nokaslr nopti mitigations=off tsc=reliable no_timer_check cryptomgr.notests"
args=(-nodefaults -no-user-config -display none
    -machine "$machine,memory-backend=ram" -accel "$accel" -cpu "$cpu" -m "$mem" -object "$ram"
    -kernel "$kernel" -initrd "$tmp/initrd" -append "console=ttyS0 panic=-1 $quick $append"
    -chardev "file,id=console,path=$log" -serial chardev:console
    -chardev "stdio,id=script,signal=off" -serial chardev:script
    -chardev "file,id=status,path=$tmp/status" -serial chardev:status)
[ -n "$reboot" ] || args+=(-no-reboot)
# Before the devices: they take their address space when they are made.
[ -z "$iommu" ] || args+=(-device "intel-iommu,caching-mode=on")

json() { # a property's value, as JSON
    case $1 in
        on | true) echo true ;;
        off | false) echo false ;;
        0x*) echo $(($1)) ;;
        *[!0-9]* | '') printf '"%s"\n' "$1" ;;
        *) echo "$1" ;;
    esac
}
wait_for_socket() {
    local i
    for ((i = 0; i < 200; i++)); do
        [ ! -S "$1" ] || return 0
        sleep 0.05
    done
    say "no socket at $1"
    exit 125
}
n=0
for device in ${devices[@]+"${devices[@]}"}; do
    IFS=, read -ra part <<<"$device"
    wait_for_socket "${part[0]}"
    object="{\"driver\":\"vfio-user-pci\",\"id\":\"vfu$n\""
    object+=",\"socket\":{\"type\":\"unix\",\"path\":\"$(realpath "${part[0]}")\"}"
    if [ -n "$port" ]; then
        args+=(-device "pcie-root-port,id=port$n,chassis=$((n + 1))")
        object+=",\"bus\":\"port$n\""
    fi
    for property in "${part[@]:1}"; do
        object+=",\"${property%%=*}\":$(json "${property#*=}")"
    done
    args+=(-device "$object}")
    n=$((n + 1))
done
args+=(${extra[@]+"${extra[@]}"})

# --- run -------------------------------------------------------------------

# In the background, so that a signal ends us at once.
timeout -k 5 "$timeout" "$VM_DIR/qemu" "${args[@]}" </dev/null &
qemu=$!
ended=0
wait "$qemu" || ended=$?
qemu=''

status=$(tail -n 1 "$tmp/status" 2>/dev/null | tr -d '\r')
if [ -z "$status" ] && { [ "$ended" = 124 ] || [ "$ended" = 137 ]; }; then
    say "the guest was killed after $timeout s"
    status=124
elif [ -z "$status" ] || { [ "$status" = 0 ] && [ "$ended" != 0 ]; }; then
    say "the guest's status is '$status', QEMU's $ended"
    status=125
fi
if [ "$status" != 0 ] && [ -s "$log" ]; then
    say "end of the guest's console:"
    tail -n 40 "$log" >&2
fi
exit "$status"
