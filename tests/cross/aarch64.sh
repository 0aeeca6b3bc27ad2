#!/usr/bin/env bash
# tests/cross/aarch64.sh: checks that the library, vfu and the tests compile for aarch64.
#
# Where rustup has the target (rustup target add aarch64-unknown-linux-gnu), nothing is downloaded. Otherwise
# this needs Debian's apt on an amd64 machine: the rustc of Debian sid and its standard library for both
# architectures (190 MB) are unpacked in target/aarch64; nothing is installed.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/sid.sh

target=aarch64-unknown-linux-gnu
dir=$PWD/target/aarch64
root=$dir/root
libraries=/usr/lib/x86_64-linux-gnu
# rustc, its standard libraries, and what it is linked to.
packages=(rustc libstd-rust-dev libstd-rust-dev:arm64 libc6 libstdc++6 libgcc-s1 zlib1g libzstd1 libxml2-16 libffi8
    libedit2 libtinfo6 libbsd0 libmd0 liblzma5)

prepare() { # unpacks a rustc in $root, and writes $dir/rustc, which runs it
    local driver llvm
    use_sid "$dir" amd64 arm64
    driver=$(depends libstd-rust-dev 'libstd-rust-[0-9.]*')
    llvm=$(depends "$driver" 'libllvm[0-9]*')
    (cd "$dir/archives" && apt-get -q download "${packages[@]}" "$driver" "$llvm" "$(depends "$llvm" 'libz3-[0-9]*')")
    local package
    for package in "$dir"/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
    cat >"$dir/rustc" <<END
#!/bin/sh
exec $root/usr/lib64/ld-linux-x86-64.so.2 --library-path $root$libraries $root/usr/bin/rustc --sysroot $root/usr "\$@"
END
    chmod +x "$dir/rustc"
    unset APT_CONFIG
}

depends() { # PACKAGE PATTERN: a package that it depends on
    apt-cache depends "$1" | sed -n "s/^ *Depends: \($2\)$/\1/p" | head -n 1
}

if ! [[ -d $(rustc --print sysroot)/lib/rustlib/$target ]]; then
    [[ -x $dir/rustc ]] || prepare
    export RUSTC=$dir/rustc
fi
export CARGO_TARGET_DIR=$dir CARGO_INCREMENTAL=0

cargo check --target "$target" -p vfio-user -p vfio-user-virtio -p vfio-user-cli -p vfio-user-tests \
    --lib --bins --tests --locked
