#!/usr/bin/env bash
# install.sh PREFIX [LIBRARY]: installs headers, library and pkg-config file under PREFIX. LIBRARY is a
# built libvfio_user_capi.so; without it the library is built for release.
set -euo pipefail

crate=$(cd "$(dirname "$0")" && pwd)
prefix=${1:?usage: install.sh PREFIX [LIBRARY]}
library=${2:-}
if [[ -z $library ]]; then
    cargo build --release --manifest-path "$crate/Cargo.toml"
    library=${CARGO_TARGET_DIR:-$crate/../target}/release/libvfio_user_capi.so
fi

mkdir -p "$prefix"/{include/vfio-user/pci_caps,lib/pkgconfig}
prefix=$(cd "$prefix" && pwd)
install -m 644 "$crate"/include/*.h "$prefix/include/vfio-user"
install -m 644 "$crate"/include/pci_caps/*.h "$prefix/include/vfio-user/pci_caps"
install -m 755 "$library" "$prefix/lib/libvfio-user.so.0.0.1"
ln -sf libvfio-user.so.0.0.1 "$prefix/lib/libvfio-user.so.0"
ln -sf libvfio-user.so.0 "$prefix/lib/libvfio-user.so"
sed "s|@PREFIX@|$prefix|" "$crate/libvfio-user.pc.in" > "$prefix/lib/pkgconfig/libvfio-user.pc"
