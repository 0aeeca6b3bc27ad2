#!/usr/bin/env bash
# prepare.sh: fetch and build everything that boot.sh needs, without root.
#
# Idempotent: a second run builds our own guest programs again and returns at
# once. Nothing is installed on the host, nothing is mounted and no package
# script is run: the packages of a QEMU and of a kernel that are new enough are
# resolved and verified by apt in a state directory of its own, and unpacked.
#
# On a Debian system this needs, besides what every one of them has:
#
#   apt-get install gcc libc6-dev zstd debian-archive-keyring ca-certificates
#
# Result in $VM_DIR:
#   qemu         runs a QEMU that has vfio-user-pci
#   vmlinux      guest kernel as an ELF file (booted through PVH), or
#   vmlinuz      ... the bzImage where the payload could not be unpacked
#   root.cpio    guest root: busybox, lspci, gpiod, nvme-cli, kmod, modules
#   guest.cpio   what is in guest/: /init, and our programs in /usr/bin
#   sysroot/     the unpacked packages
#   accel        what boot.sh uses on this machine: kvm or tcg
#   manifest     versions of everything
#
# Settings (environment):
#   VM_DIR       where it all goes    [$XDG_CACHE_HOME/vfio-user-vm]
#   VM_MODULES   more modules for the guest, "ext4 i6300esb"; they stay for later runs
#   VM_SUITES    Debian suites; the first that the mirror has, and whose QEMU has
#                vfio-user-pci, is taken. A download that fails ends the script: it
#                does not choose another suite. [forky trixie-backports]
#   VM_MIRROR    Debian mirror        [the one that this host's apt uses]
#   VM_QEMU      a QEMU to use        [the one on PATH, if it can do this]
#   VM_ACCEL     kvm or tcg           [found out by booting]
set -euo pipefail

VM_DIR=${VM_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/vfio-user-vm}
VM_SUITES=${VM_SUITES:-forky trixie-backports}
VM_MODULES=${VM_MODULES:-}
VM_MIRROR=${VM_MIRROR:-}
VM_QEMU=${VM_QEMU:-}
VM_ACCEL=${VM_ACCEL:-}

# What the guest consists of. Modules come with what they depend on.
guest_packages=(busybox-static pciutils gpiod kmod nvme-cli)
guest_programs=(lspci setpci kmod nvme gpiodetect gpioinfo gpioget gpioset gpiomon)
guest_modules=(ext4 gpio-pci-idio-16 i6300esb ne2k-pci nvme vfio-pci vfio_iommu_type1 uio_pci_generic virtio_pci virtio_blk
    virtio-rng virtio_net)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
# Counted up when old results are of no use any more.
revision=1

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
say() { printf 'prepare: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

main() {
    check_tools
    mkdir -p "$VM_DIR"
    VM_DIR=$(cd "$VM_DIR" && pwd)
    sysroot=$VM_DIR/sysroot
    exec 9>"$VM_DIR/.lock"
    flock 9
    local key="$revision $VM_SUITES $VM_QEMU ${guest_packages[*]}"
    local complete=true
    has_modules || complete=false
    if [ "$(cat "$VM_DIR/.key" 2>/dev/null)" != "$key" ] || ! "$complete"; then
        rm -f "$VM_DIR/.key" "$VM_DIR/accel"
        find_qemu
        fetch_packages
        build_kernel
        build_root
        write_manifest
        echo "$key" >"$VM_DIR/.key"
    fi
    build_guest
    [ -s "$VM_DIR/accel" ] || probe_accel
    say "ready in $VM_DIR ($(cat "$VM_DIR/accel"))"
}

has_modules() { # adds those of earlier runs to guest_modules; whether all are in the guest
    local module installed=() missing=()
    [ ! -e "$VM_DIR/modules" ] || mapfile -t installed <"$VM_DIR/modules"
    # shellcheck disable=SC2206 # names are split on purpose
    guest_modules+=($VM_MODULES)
    for module in "${guest_modules[@]}"; do
        [[ " ${installed[*]} " == *" $module "* ]] || missing+=("$module")
    done
    guest_modules+=("${installed[@]}")
    [ ${#missing[@]} = 0 ] || say "modules to add to the guest: ${missing[*]}"
    [ ${#missing[@]} = 0 ]
}

check_tools() {
    local pair missing=()
    for pair in gcc:gcc zstd:zstd apt-get:apt dpkg-deb:dpkg tar:tar flock:util-linux od:coreutils; do
        command -v "${pair%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    if [ ${#missing[@]} = 0 ] &&
        ! gcc -static -o /dev/null -xc - <<<'int main(void){return 0;}' 2>/dev/null; then
        missing+=(libc6-dev)
    fi
    [ -r "$keyring" ] || missing+=(debian-archive-keyring)
    [ ${#missing[@]} = 0 ] || die "these packages are missing: ${missing[*]}"
}

# --- packages --------------------------------------------------------------

has_vfio_user() { "$1" -device help 2>/dev/null | grep -q '"vfio-user-pci"'; }

find_qemu() { # sets host_qemu, empty unless there is one to use
    host_qemu=$(command -v "${VM_QEMU:-qemu-system-x86_64}" || true)
    if [ -n "$host_qemu" ] && ! has_vfio_user "$host_qemu"; then
        say "$host_qemu has no vfio-user-pci"
        host_qemu=
    fi
    [ -z "$VM_QEMU" ] || [ -n "$host_qemu" ] || die "VM_QEMU=$VM_QEMU cannot be used"
}

fetch_packages() { # sets suite: the first one that has what it takes
    # shellcheck disable=SC2016 # apt expands these
    [ -n "$VM_MIRROR" ] || VM_MIRROR=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN)' |
        awk '$2 == "Debian" && $1 !~ /security/ {sub("/$", "", $1); print $1; exit}')
    [ -n "$VM_MIRROR" ] || die "apt knows no Debian mirror: run apt-get update, or set VM_MIRROR"
    for suite in $VM_SUITES; do
        if ! fetch "$suite"; then
            tail -n 5 "$VM_DIR/apt/log" >&2
            grep -q 'does not have a Release file' "$VM_DIR/apt/log" || die "$suite: download failed"
            say "$suite: not on this mirror"
            continue
        fi
        write_qemu
        has_vfio_user "$VM_DIR/qemu" && return
        say "$suite: its QEMU has no vfio-user-pci"
    done
    die "no suite of '$VM_SUITES' will do"
}

fetch() { # SUITE: unpacks its packages into sysroot
    local debs=$VM_DIR/debs packages=("${guest_packages[@]}") kernel deb
    [ -n "$host_qemu" ] || packages+=(qemu-system-x86)
    apt_setup "$1"
    say "$1: reading package lists"
    apt-get "${apt[@]}" update >"$VM_DIR/apt/log" 2>&1 || return 1
    mapfile -t kernel < <(kernel_packages)
    rm -rf "$debs" "$sysroot"
    mkdir -p "$debs/partial"
    say "$1: downloading"
    apt-get "${apt[@]}" -o Dir::Cache::archives="$debs" -y --download-only \
        install "${packages[@]}" >>"$VM_DIR/apt/log" 2>&1 || return 1
    (cd "$debs" && apt-get "${apt[@]}" download "${kernel[@]}") \
        >>"$VM_DIR/apt/log" 2>&1 || return 1
    say "$1: unpacking"
    # A merged /usr is made by a package script: lay it out here.
    mkdir -p "$sysroot"/usr/{bin,sbin,lib,lib64}
    ln -s usr/bin usr/sbin usr/lib usr/lib64 "$sysroot/"
    for deb in "$debs"/*.deb; do
        dpkg-deb --fsys-tarfile "$deb" |
            tar -x --keep-directory-symlink --no-same-owner -C "$sysroot" || return 1
    done
    (cd "$debs" && printf '%s\n' *.deb) >"$VM_DIR/packages"
    rm -rf "$debs" "$VM_DIR/apt/lists"
}

apt_setup() { # SUITE: sets apt, the options that keep apt out of the host's state
    local d=$VM_DIR/apt s
    rm -rf "$d"
    mkdir -p "$d/lists/partial" "$d/archives/partial"
    : >"$d/status"
    for s in "${1%-backports}" "$1"; do
        echo "deb [arch=amd64 signed-by=$keyring] $VM_MIRROR $s main"
    done | sort -u >"$d/sources.list"
    apt=(-q -o Dir::Etc::sourcelist="$d/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null
        -o Dir::State="$d" -o Dir::State::lists="$d/lists" -o Dir::State::status="$d/status"
        -o Dir::State::extended_states="$d/extended_states" -o Dir::Cache="$d"
        -o Dir::Cache::archives="$d/archives" -o Dir::Log="$d"
        -o APT::Architecture=amd64 -o APT::Architectures=amd64
        -o APT::Install-Recommends=false -o APT::Sandbox::User= -o APT::Default-Release="$1"
        -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
        -o Acquire::Retries=3 -o Debug::NoLocking=1)
}

kernel_packages() { # the kernel's own: no initramfs generator, no boot loader
    apt-cache "${apt[@]}" depends --recurse --no-recommends --no-suggests --no-conflicts \
        --no-breaks --no-replaces --no-enhances linux-image-amd64 |
        grep '^linux-' | sort -u | while read -r package; do
        if apt-cache "${apt[@]}" show --no-all-versions "$package" >/dev/null 2>&1; then
            echo "$package"
        fi
    done
}

write_qemu() {
    local lib=$sysroot/usr/lib/x86_64-linux-gnu
    {
        echo '#!/bin/sh'
        if [ -n "$host_qemu" ]; then
            echo "exec '$host_qemu' \"\$@\""
        else
            echo "export QEMU_MODULE_DIR='$lib/qemu'"
            echo "exec '$sysroot/usr/lib64/ld-linux-x86-64.so.2' --library-path '$lib'" \
                "'$sysroot/usr/bin/qemu-system-x86_64' -L '$sysroot/usr/share/seabios'" \
                "-L '$sysroot/usr/share/qemu' -L '$sysroot/usr/lib/ipxe/qemu' \"\$@\""
        fi
    } >"$VM_DIR/qemu"
    chmod +x "$VM_DIR/qemu"
}

# --- kernel ----------------------------------------------------------------

# The ELF kernel inside the bzImage starts seconds sooner under TCG: nothing
# is unpacked by emulated code.
build_kernel() { # sets kver
    kver=$(ls "$sysroot/usr/lib/modules")
    local image=$sysroot/usr/lib/modules/$kver/vmlinuz
    [ -e "$image" ] || image=$sysroot/boot/vmlinuz-$kver
    rm -f "$VM_DIR/vmlinux" "$VM_DIR/vmlinuz"
    if ! unpack_kernel "$image" "$VM_DIR/vmlinux"; then
        say "taking the bzImage as it is"
        rm -f "$VM_DIR/vmlinux"
        cp "$image" "$VM_DIR/vmlinuz"
    fi
}

unpack_kernel() { # IMAGE OUTPUT. The fields: Documentation/arch/x86/boot.rst
    local image=$1 start length tool
    start=$((($(field 497 1) + 1) * 512 + $(field 584 4)))
    length=$(($(field 588 4) - 4)) # less the trailing unpacked size
    case $(od -An -tx1 -j"$start" -N4 "$image" | tr -d ' ') in
        28b52ffd) tool=zstd ;;
        fd377a58) tool=xz ;;
        1f8b*) tool=gzip ;;
        *) return 1 ;;
    esac
    # head ends before tail does, which is no failure: what counts is the result.
    { tail -c +$((start + 1)) "$image" | head -c "$length" | $tool -dc >"$2"; } 2>/dev/null || true
    [ "$(od -An -tx1 -N4 "$2" | tr -d ' ')" = 7f454c46 ]
}
field() { od -An -tu"$2" -j"$1" -N"$2" "$image" | tr -d ' '; } # OFFSET SIZE

# --- the guest's root ------------------------------------------------------

build_root() {
    say "building the guest's root (linux $kver)"
    local g=$VM_DIR/root.d lib=$sysroot/usr/lib/x86_64-linux-gnu
    ld=$sysroot/usr/lib64/ld-linux-x86-64.so.2
    rm -rf "$g"
    mkdir -p "$g"/{bin,dev,proc,sys,tmp,run,root,etc,lib64,usr/bin,usr/sbin,usr/share/misc} \
        "$g/usr/lib/x86_64-linux-gnu" "$g/usr/lib/modules/$kver"
    ln -s usr/lib usr/sbin "$g/" # the kernel runs /sbin/modprobe
    cp -L "$ld" "$g/lib64/"
    cp "$sysroot/usr/share/misc/pci.ids" "$g/usr/share/misc/"
    install_busybox
    local program
    for program in "${guest_programs[@]}"; do install_program "$program"; done
    for program in modprobe insmod rmmod lsmod modinfo depmod; do
        ln -s ../bin/kmod "$g/usr/sbin/$program"
    done
    install_modules
    pack "$g" >"$VM_DIR/root.cpio"
    # What only this needed: the rest is small enough to keep in a CI cache.
    rm -rf "$g" "${sysroot:?}"/usr/lib/modules "${sysroot:?}"/boot \
        "$sysroot"/usr/share/{doc,man,info,locale,bug,lintian}
}

install_busybox() {
    cp "$sysroot/usr/bin/busybox" "$g/bin/"
    "$g/bin/busybox" --list | while read -r applet; do
        [ "$applet" = busybox ] || ln -s busybox "$g/bin/$applet"
    done
}

install_program() { # NAME: with the libraries that it is linked to
    local file=$sysroot/usr/bin/$1
    [ -e "$file" ] || file=$sysroot/usr/sbin/$1
    [ -e "$file" ] || die "no $1 in the packages"
    cp -L "$file" "$g/usr/bin/"
    "$ld" --library-path "$lib:$lib/ceph" --list "$file" | awk '$3 ~ /^\// {print $3}' |
        while read -r library; do cp -L "$library" "$g/usr/lib/x86_64-linux-gnu/"; done
}

install_modules() {
    run_kmod depmod -b "$sysroot" "$kver" 2>/dev/null
    local module file
    for module in "${guest_modules[@]}"; do
        run_kmod modprobe -d "$sysroot" -S "$kver" --show-depends "$module" ||
            die "no module $module"
    done | sed -n 's/^insmod //p' | sort -u | while read -r file _; do
        case $file in
            *.xz) "$g/bin/busybox" unxz -c "$file" >"$(module_path "${file%.xz}")" ;;
            *.zst) zstd -dcq "$file" >"$(module_path "${file%.zst}")" ;;
            *) cp "$file" "$(module_path "$file")" ;;
        esac
    done
    cp "$sysroot/usr/lib/modules/$kver"/modules.{builtin,builtin.modinfo,order} \
        "$g/usr/lib/modules/$kver/"
    run_kmod depmod -b "$g" "$kver"
    printf '%s\n' "${guest_modules[@]}" | sort -u >"$VM_DIR/modules"
}

module_path() { # FILE: its place in the guest's root, in a directory that exists
    local to=$g/usr/lib/modules/$kver/${1#*"/modules/$kver/"}
    mkdir -p "$(dirname "$to")"
    echo "$to"
}

run_kmod() { # NAME ARGS: one of kmod's programs
    local name=$1
    shift
    "$ld" --library-path "$sysroot/usr/lib/x86_64-linux-gnu" --argv0 "$name" \
        "$sysroot/usr/bin/kmod" "$@"
}

# An archive. Its end is aligned to four bytes, so that another one can follow.
pack() { # DIRECTORY
    (cd "$1" && find . -mindepth 1 | LC_ALL=C sort |
        "$sysroot/usr/bin/busybox" cpio -o -H newc -R 0:0 2>/dev/null)
}

write_manifest() {
    {
        echo "suite $suite"
        echo "linux $kver"
        echo "qemu $("$VM_DIR/qemu" --version | head -n 1)${host_qemu:+ ($host_qemu)}"
        cat "$VM_DIR/packages"
    } >"$VM_DIR/manifest"
    rm "$VM_DIR/packages"
    head -n 3 "$VM_DIR/manifest" | while read -r line; do say "$line"; done
}

# --- what is ours ----------------------------------------------------------

build_guest() {
    local g=$VM_DIR/guest.d source
    rm -rf "$g"
    mkdir -p "$g/usr/bin"
    install -m 755 "$here/guest/init.sh" "$g/init"
    for source in "$here"/guest/*.c; do
        gcc -O2 -Wall -Wextra -Werror -static -s -o "$g/usr/bin/$(basename "$source" .c)" "$source"
    done
    pack "$g" >"$VM_DIR/guest.new"
    mv "$VM_DIR/guest.new" "$VM_DIR/guest.cpio"
    rm -rf "$g"
}

# A KVM that exists is not a KVM that runs a stock kernel (nested software
# virtualisation, say), so boot one.
probe_accel() {
    local accel=${VM_ACCEL:-tcg}
    if [ -z "$VM_ACCEL" ] && [ -w /dev/kvm ]; then
        say "does /dev/kvm boot the guest?"
        if VM_DIR=$VM_DIR "$here/boot.sh" --accel kvm --timeout 20 --command true \
            >/dev/null 2>&1 9>&-; then
            accel=kvm
        fi
    fi
    echo "$accel" >"$VM_DIR/accel"
}

main
