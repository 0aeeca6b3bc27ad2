"""The client, with a device of this process, of another one, and of Rust."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import vfio_user as vu
from conftest import EXAMPLES, PATIENCE, ROOT, end
from edu import Edu


def test_a_served_device(socket):
    with Edu.serve(socket) as server, vu.Client(socket, Edu) as dev:
        assert dev.config.read16(0) == 0x1234
        assert dev.id == 0x010000ED
        dev.liveness = 0x12
        assert dev.bar[0].read32(4) == dev.liveness == 0xFFFFFFED
        dev.enable_irqs()
        dev.irq_raise = 4
        assert dev.irq[0].wait(PATIENCE) == 1
        assert server.device.irq_status == 4
    assert not os.path.exists(socket)


def test_a_device_in_another_process(socket, start):
    program = start(sys.executable, EXAMPLES / "edu.py", f"--socket-path={socket}")
    with vu.Client(socket, Edu, patience=PATIENCE) as dev:
        dev.factorial = 6
        assert dev.factorial == 720
        dev.reset()
        assert dev.factorial == 0
    end(program)


def test_a_migration_between_processes(socket, start):
    paths = [socket, socket + "2"]
    programs = [start(sys.executable, EXAMPLES / "edu.py", f"--socket-path={path}") for path in paths]
    source, target = (vu.Client(path, Edu, patience=PATIENCE) for path in paths)
    source.factorial = 5
    source.enable_irqs()
    target.enable_irqs()
    moved = source.migrate_to(target)
    assert moved.bytes > 0
    assert target.factorial == 120
    target.irq_raise = 1
    assert target.irq[0].wait(PATIENCE) == 1
    source.close()
    target.close()
    for program in programs:
        end(program)


def test_a_device_of_rust(socket, start, tmp_path):
    edu = ROOT / "target" / "debug" / "edu"
    described = tmp_path / "edu.json"
    described.write_text(subprocess.check_output([edu, "--describe=json"], text=True))
    program = start(edu, f"--socket-path={socket}")
    with vu.Client(socket, described, patience=PATIENCE) as dev:
        dev.liveness = 0x12
        assert dev.liveness == 0xFFFFFFED
        dev.enable_irqs("msi")
        dev.status = 0x80
        dev.factorial = 5
        dev.irq[0].wait(PATIENCE)
        assert dev.factorial == 120
        memory = dev.alloc(4096)
        memory.write(0, b"python")
        assert memory.read(0, 6) == b"python" and len(memory) == 4096
    end(program)


def test_a_second_client_is_refused(socket):
    with Edu.serve(socket), vu.Client(socket):
        with pytest.raises(vu.InUseError):
            vu.Client(socket)


def test_errors_say_what_is_accepted(socket):
    with pytest.raises(vu.SocketError, match="dev.sock"):
        vu.Client(socket)
    with Edu.serve(socket), vu.Client(socket, Edu) as dev:
        with pytest.raises(AttributeError, match="liveness"):
            dev.livenes
        with pytest.raises(AttributeError, match="liveness"):
            dev.livenes = 1
        with pytest.raises(AttributeError, match="reg.irq"):
            dev.irq = 1
        with pytest.raises(vu.Error, match="enable_irqs"):
            dev.irq
        with pytest.raises(ValueError, match="does not fit"):
            dev.liveness = 1 << 32
        with pytest.raises(vu.RefusedError) as refused:
            dev.region(0).read(0x100000, 4)
        assert refused.value.errno == 22
        with pytest.raises(IndexError):
            dev.bar[6]
        with pytest.raises(ValueError, match="msix, msi and intx"):
            dev.enable_irqs("nmi", 1)
        dev.close()
        with pytest.raises(vu.DisconnectedError):
            dev.config.read16(0)


@pytest.fixture
def interruptible():
    """Raises KeyboardInterrupt, though a shell ignores SIGINT for what it runs in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_wait_ends_by_a_signal(socket, interruptible):
    with Edu.serve(socket), vu.Client(socket, Edu) as dev:
        dev.enable_irqs()
        waits = threading.Event()

        def interrupt():
            waits.wait()
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        before = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            waits.set()
            dev.irq[0].wait(PATIENCE)
            # The signal may arrive late.
            time.sleep(PATIENCE)
        thread.join()
        assert time.monotonic() - before < PATIENCE
        with pytest.raises(TimeoutError):
            dev.irq[0].wait(0.01)
