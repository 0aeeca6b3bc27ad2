#!/usr/bin/env bash
# Installs the package into a fresh environment and tests it there: types, stubs, pytest. Arguments are pytest's.
set -euo pipefail
cd "$(dirname "$0")/.."

environment=../target/python
python3 -m venv --clear "$environment"
bin=$(cd "$environment/bin" && pwd)
"$bin/pip" install --quiet --disable-pip-version-check '.[test]'
"$bin/mypy"
"$bin/stubtest" vfio_user._native
cargo build --quiet --locked --package vfio-user-examples --bin edu --bin i6300esb
"$bin/pytest" "$@"
