#!/usr/bin/env bash
# tests/cross/aarch64.sh: checks that the library, vfu and the tests compile for aarch64.
# tests/cross/aarch64.sh run CARGO-ARGUMENTS [-- TEST-ARGUMENTS]: builds tests and runs them on an emulated
# machine with a kernel for aarch64, such as
#
#     tests/cross/aarch64.sh run -p vfio-user --test registers
#     tests/cross/aarch64.sh run -p vfio-user-tests --test dma -- files::
#
# Where rustup has the target (rustup target add aarch64-unknown-linux-gnu), no compiler is downloaded.
# Otherwise this needs Debian's apt on an amd64 machine: the rustc of Debian sid and its standard library for
# both architectures (190 MB) are unpacked in target/aarch64; nothing is installed.
#
# `run` also needs qemu-system-arm, gcc-aarch64-linux-gnu, libc6-arm64-cross and cpio, and unpacks Debian's
# kernel for arm64 (50 MB). The emulation of one processor by another is about ten times slower than that
# processor. (QEMU's emulation of single programs, qemu-aarch64, does not do: it lacks io_setup(2), without
# which no server starts, reads that do not wait, Landlock and io_uring.)
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/sid.sh

target=aarch64-unknown-linux-gnu
source=$PWD
dir=$PWD/target/aarch64
root=$dir/root
guest=$dir/guest
# The time that the emulated machine has.
longest=3h
cross=/usr/aarch64-linux-gnu/lib
libraries=/usr/lib/x86_64-linux-gnu
# rustc, its standard libraries, and what it is linked to.
packages=(rustc libstd-rust-dev libstd-rust-dev:arm64 libc6 libstdc++6 libgcc-s1 zlib1g libzstd1 libxml2-16 libffi8
    libedit2 libtinfo6 libbsd0 libmd0 liblzma5)

unpack() { # FOLDER PACKAGE..: replaces the folder by these packages
    local folder=$1 package
    shift
    rm -rf "$dir/archives" "$folder"
    mkdir -p "$dir/archives/partial" "$folder"
    (cd "$dir/archives" && apt-get -q download "$@")
    for package in "$dir"/archives/*.deb; do dpkg-deb -x "$package" "$folder"; done
}

depends() { # PACKAGE PATTERN: a package that it depends on
    apt-cache depends "$1" | sed -n "s/^ *Depends: \($2\)$/\1/p" | sed -n 1p
}

prepare_rustc() { # unpacks a rustc in $root, and writes $dir/rustc, which runs it
    local driver llvm
    use_sid "$dir" amd64 arm64
    driver=$(depends libstd-rust-dev 'libstd-rust-[0-9.]*')
    llvm=$(depends "$driver" 'libllvm[0-9]*')
    unpack "$root" "${packages[@]}" "$driver" "$llvm" "$(depends "$llvm" 'libz3-[0-9]*')"
    cat >"$dir/rustc" <<END
#!/bin/sh
exec $root/usr/lib64/ld-linux-x86-64.so.2 --library-path $root$libraries $root/usr/bin/rustc --sysroot $root/usr "\$@"
END
    chmod +x "$dir/rustc"
    unset APT_CONFIG
}

prepare_guest() { # unpacks a kernel and busybox
    local image binary
    use_sid "$dir" amd64 arm64
    image=$(depends linux-image-arm64:arm64 'linux-image-[^ ]*')
    binary=$(depends "$image" 'linux-binary-[^ ]*')
    unpack "$guest/unpacked" "$binary" busybox-static:arm64
    mv "$guest"/unpacked/usr/lib/modules/*/vmlinuz "$guest/vmlinuz"
    unset APT_CONFIG
}

build_initrd() { # FILE..: the root of a machine that runs these tests, where they are here
    local initrd=$guest/initrd file applet
    rm -rf "$initrd"
    mkdir -p "$initrd"/{bin,dev,lib,proc,root,sys,tmp}
    cp "$guest/unpacked/usr/bin/busybox" "$initrd/bin/"
    for applet in basename dmesg ip mkdir mount sh sleep uname; do ln -s busybox "$initrd/bin/$applet"; done
    cp "$cross"/{ld-linux-aarch64.so.1,libc.so.6,libm.so.6,libgcc_s.so.1} "$initrd/lib/"
    # Tests read files of the source, and run programs that were built for them.
    git ls-files -z | cpio --quiet -0 -pdm "$initrd$source"
    mkdir -p "$initrd$dir/$target/debug/deps"
    for file in "$@"; do cp "$file" "$initrd$file"; done
    find "$dir/$target/debug" -maxdepth 1 -type f -executable -exec cp -t "$initrd$dir/$target/debug" {} +
    cat >"$initrd/init" <<END
#!/bin/sh
mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/pts
mount -t devpts pts /dev/pts
mount -t tmpfs shm /dev/shm
ip link set lo up
ulimit -n 65536
export HOME=/root RUST_BACKTRACE=1
dmesg -n 1
uname -a
END
    local arguments=
    [[ ${#test_arguments[@]} == 0 ]] || arguments=$(printf ' %q' "${test_arguments[@]}")
    for file in "$@"; do
        # The folder of its package, as with cargo; every package has its manifest in one.
        echo "cd $source; echo; echo running $(basename "$file"); $file$arguments; echo \"aarch64: $(basename "$file") \$?\""
    done >>"$initrd/init"
    # Without an init process the machine ends.
    echo 'echo o >/proc/sysrq-trigger; sleep 60' >>"$initrd/init"
    chmod +x "$initrd/init"
    (cd "$initrd" && find . | cpio --quiet -o -H newc) >"$guest/initrd.cpio"
}

run() { # builds the tests and runs them
    local program arguments=() test_arguments=() executables failed
    for program in qemu-system-aarch64 aarch64-linux-gnu-gcc cpio; do
        command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
    done
    while [[ $# -gt 0 && $1 != -- ]]; do arguments+=("$1") && shift; done
    test_arguments=("${@:2}")
    [[ -e $guest/vmlinuz ]] || prepare_guest
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
    export CARGO_PROFILE_DEV_DEBUG=false CARGO_PROFILE_DEV_STRIP=true
    cargo test --target "$target" --locked --no-run "${arguments[@]}" 2>&1 | tee "$guest/build.log"
    mapfile -t executables < <(sed -n 's/^ *Executable .*(\(.*\))$/\1/p' "$guest/build.log")
    [[ ${#executables[@]} -gt 0 ]] || { echo "there are no tests" >&2; exit 1; }
    build_initrd "${executables[@]/#"target/"/"$source/target/"}"
    boot
    failed=$((${#executables[@]} - $(grep -c '^aarch64: .* 0.\?$' "$guest/run.log" || true)))
    if [[ $failed != 0 ]]; then
        echo "$failed of ${#executables[@]} test programs failed or did not end: see $guest/run.log" >&2
        exit 1
    fi
}

boot() { # runs the machine, and prints what it prints
    local status=0
    timeout --foreground "$longest" qemu-system-aarch64 -M virt -cpu max -smp 2 -m 4G \
        -nic none -nographic -no-reboot \
        -kernel "$guest/vmlinuz" -initrd "$guest/initrd.cpio" -append "console=ttyAMA0 quiet panic=-1" \
        </dev/null | tee "$guest/run.log" || status=$?
    case $status in
    0) ;;
    124) echo "the machine was stopped after $longest" >&2 ;;
    *) echo "QEMU failed with status $status" >&2 ;;
    esac
}

if ! [[ -d $(rustc --print sysroot)/lib/rustlib/$target ]]; then
    [[ -x $dir/rustc ]] || prepare_rustc
    export RUSTC=$dir/rustc
fi
export CARGO_TARGET_DIR=$dir CARGO_INCREMENTAL=0

case ${1-check} in
check)
    cargo check --target "$target" -p vfio-user -p vfio-user-virtio -p vfio-user-cli -p vfio-user-tests \
        --lib --bins --tests --locked
    ;;
run) run "${@:2}" ;;
*) echo "usage: $0 [run CARGO-ARGUMENTS [-- TEST-ARGUMENTS]]" >&2 && exit 2 ;;
esac
