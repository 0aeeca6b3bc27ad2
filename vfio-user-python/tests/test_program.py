"""Device programs: their command line, and how they end."""

import json
import subprocess
import sys

import vfio_user as vu
from conftest import EXAMPLES, PATIENCE, end
from edu import Edu

EDU = EXAMPLES / "edu.py"


def run(*arguments, program=EDU):
    return subprocess.run(
        [sys.executable, program, *arguments], capture_output=True, text=True, timeout=PATIENCE
    )


def test_the_command_line_is_that_of_all_device_programs():
    described = run("--describe=json")
    assert json.loads(described.stdout) == json.loads(Edu.describe("json"))
    usage = run("--help")
    assert usage.returncode == 0 and "--socket-path" in usage.stdout and "`edu`" in usage.stdout
    wrong = run("--socket-paht=x")
    assert wrong.returncode == 2 and "--socket-path" in wrong.stderr


def test_a_socket_that_cannot_be_used():
    failed = run("--socket-path=/nowhere/edu.sock")
    assert failed.returncode == 1
    assert failed.stderr.startswith("edu.py: socket /nowhere/edu.sock cannot be used: ")


def test_the_exception_of_a_constructor(tmp_path):
    program = tmp_path / "card.py"
    program.write_text(
        "import vfio_user as vu\n"
        "class Card(vu.Device):\n"
        "    pci = vu.Pci(vendor=0x1234, device=1)\n"
        "    def __init__(self):\n"
        "        raise LookupError('no card')\n"
        "Card.main()\n"
    )
    failed = run(f"--socket-path={tmp_path / 'card.sock'}", program=program)
    assert failed.returncode == 1
    assert failed.stderr.endswith("LookupError: no card\n")


def test_an_exception_at_the_start(tmp_path):
    program = tmp_path / "card.py"
    program.write_text(
        "import vfio_user as vu\n"
        "class Card(vu.Device):\n"
        "    pci = vu.Pci(vendor=0x1234, device=1)\n"
        "    def start(self):\n"
        "        raise LookupError('no card')\n"
        "Card.main()\n"
    )
    failed = run(f"--socket-path={tmp_path / 'card.sock'}", program=program)
    assert failed.returncode == 1
    assert "LookupError: no card\n" in failed.stderr and "panic" not in failed.stderr


def test_state_is_kept_in_a_file(socket, start, tmp_path):
    command = (sys.executable, EDU, f"--socket-path={socket}", f"--state={tmp_path / 'state'}")
    program = start(*command)
    with vu.Client(socket, Edu, patience=PATIENCE) as dev:
        dev.factorial = 4
    end(program)
    program = start(*command)
    with vu.Client(socket, Edu, patience=PATIENCE) as dev:
        assert dev.factorial == 24
    end(program)


def test_an_exception_in_a_program_is_printed(socket, start, tmp_path):
    program = tmp_path / "card.py"
    program.write_text(
        "import vfio_user as vu\n"
        "class Card(vu.Device):\n"
        "    pci = vu.Pci(vendor=0x1234, device=1)\n"
        "    bar0 = vu.Bar(0, size=0x1000)\n"
        "    fails = vu.Reg(0, 'ro', stored=False)\n"
        "    @fails.read_with\n"
        "    def read_fails(self):\n"
        "        raise LookupError('no value')\n"
        "Card.main()\n"
    )
    served = start(sys.executable, program, f"--socket-path={socket}")
    for _ in range(2):
        with vu.Client(socket, patience=PATIENCE) as dev:
            try:
                dev.bar[0].read32(0)
            except vu.RefusedError as error:
                assert error.errno == 5
    assert end(served).count("LookupError: no value") == 2
