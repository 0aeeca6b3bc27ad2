#!/usr/bin/env bash
# tests/sanitizers/sysroot.sh: prints a nightly rustc that has the sources of its standard library, which
# `cargo -Zbuild-std` compiles.
#
# Where rustup has them (rustup component add --toolchain nightly rust-src), nothing is downloaded. Otherwise
# this needs Debian's apt: those of Debian sid (46 MB) are unpacked in target/rust-src-RELEASE, beside links to
# the toolchain; nothing is installed. Both have to be of one release, such as 1.97.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/sid.sh

sysroot=$(rustc +nightly --print sysroot)
release=$(rustc +nightly -vV | sed -n 's/^release: \([0-9]*\.[0-9]*\)\..*/\1/p')
dir=$PWD/target/rust-src-$release
library=lib/rustlib/src/rust/library

prepare() { # unpacks the sources in $dir/unpacked, and writes $dir/rustc, whose sysroot that is
    local available entry
    # What a run that was interrupted has left.
    rm -rf "$dir"
    use_sid "$dir" amd64
    available=$(apt-cache show --no-all-versions rust-src | sed -n 's/^Version: //p')
    if [[ $available != "$release".* ]]; then
        echo "rust-src of Debian sid is $available, and the nightly toolchain is of $release" >&2
        return 1
    fi
    (cd "$dir/archives" && apt-get -q download rust-src)
    mkdir -p "$dir/unpacked/$library"
    dpkg-deb --fsys-tarfile "$dir"/archives/rust-src_*.deb |
        tar -x -C "$dir/unpacked/$library" --strip-components=5 --wildcards \
            --no-wildcards-match-slash './usr/src/rustc-*/library'
    for entry in "$sysroot"/lib/*.so* "$sysroot"/lib/rustlib/*-linux-gnu/; do
        entry=${entry%/}
        ln -s "$entry" "$dir/unpacked/${entry#"$sysroot/"}"
    done
    printf '#!/bin/sh\nexec %s --sysroot %s "$@"\n' "$sysroot/bin/rustc" "$dir/unpacked" >"$dir/rustc"
    chmod +x "$dir/rustc"
}

if [[ -d $sysroot/$library ]]; then
    echo "$sysroot/bin/rustc"
else
    [[ -x $dir/rustc ]] || prepare >&2
    echo "$dir/rustc"
fi
