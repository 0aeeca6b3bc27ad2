"""What all tests share: the examples, and programs that end with their test."""

from __future__ import annotations

import pathlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "vfio-user-python" / "examples"
sys.path.insert(0, str(EXAMPLES))

#: How long a busy machine may take, in seconds.
PATIENCE = 60.0

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts programs, and ends them at the end of the test."""
    programs: list[subprocess.Popen[str]] = []

    def start(*command: object) -> subprocess.Popen[str]:
        program = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        programs.append(program)
        return program

    yield start
    for program in programs:
        program.kill()
        program.communicate()


def end(program: subprocess.Popen[str]) -> str:
    """Ends a device program in order, and returns what it wrote to standard error."""
    program.send_signal(signal.SIGTERM)
    _, errors = program.communicate(timeout=PATIENCE)
    assert program.returncode == 0, errors
    return errors


@pytest.fixture
def socket(tmp_path: pathlib.Path) -> str:
    """The path of a socket."""
    return str(tmp_path / "dev.sock")
