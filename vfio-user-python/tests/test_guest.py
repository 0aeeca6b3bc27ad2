"""A real guest: Linux drives the Python device with the driver of the hardware."""

import fcntl
import os
import pathlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import vfio_user as vu
from conftest import EXAMPLES, PATIENCE, ROOT, end

CACHE = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
GUEST = pathlib.Path(os.environ.get("VM_DIR") or pathlib.Path(CACHE) / "vfio-user-vm")

SCRIPT = """
set -e
modprobe gpio-pci-idio-16
readlink /sys/bus/pci/devices/0000:00:01.0/driver
chip=$(gpiodetect | sed -n 's/ .*0000:00:01.0.*32 lines.*//p')
gpioset -t0 -c "$chip" 3=1
gpioset -t0 -c "$chip" 15=1
echo inputs, please
until [ "$(gpioget --numeric -c "$chip" 16 17 31)" = "1 0 1" ]; do :; done
echo inputs read
gpiomon --banner --num-events=16 -c "$chip" $(seq 16 31)
"""


@contextmanager
def place() -> Iterator[None]:
    """Waits for the first of the places for guests, which the tests in Rust take as well."""
    with open(GUEST / "place-1", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def hear(program: "subprocess.Popen[str]", text: str) -> None:
    """Reads lines until one contains the text. A program that is silent for too long is killed."""
    heard = []
    limit = threading.Timer(2 * PATIENCE, program.kill)
    limit.start()
    try:
        for line in program.stdout:
            heard.append(line)
            if text in line:
                return
    finally:
        limit.cancel()
    pytest.fail(f"no {text!r} in {''.join(heard)}")


def say(program: "subprocess.Popen[str]", text: str) -> None:
    """Writes a line."""
    program.stdin.write(f"{text}\n")
    program.stdin.flush()


@pytest.mark.skipif(
    not (GUEST / "accel").exists() and "CI" not in os.environ,
    reason="no guest: run tests/vm/prepare.sh",
)
def test_the_driver_of_linux(socket, start):
    device = start(sys.executable, EXAMPLES / "idio16.py", f"--socket-path={socket}")
    # It listens before the guest starts.
    vu.Client(socket, patience=PATIENCE).close()
    with place():
        boot = [ROOT / "tests" / "vm" / "boot.sh", "--device", socket, "--command", SCRIPT]
        guest = start(*boot)
        hear(guest, "drivers/pci-idio-16")
        hear(device, "8008")
        hear(guest, "inputs, please")
        say(device, "8001")
        hear(guest, "inputs read")
        hear(guest, "Monitoring lines")
        say(device, "7ffe")
        output, errors = guest.communicate(timeout=PATIENCE)
    assert guest.returncode == 0, output + errors
    assert output.count("rising") == 14 and output.count("falling") == 2, output
    end(device)
