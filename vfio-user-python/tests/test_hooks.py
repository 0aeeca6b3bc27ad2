"""Hooks: their arguments, their exceptions, and what they may use."""

import sys
import threading

import pytest
import vfio_user as vu
from conftest import PATIENCE


class Card(vu.Device):
    """Has a hook of every kind."""

    pci = vu.Pci(vendor=0x1234, device=0x0001)
    bar0 = vu.Bar(0, size=0x1000)
    irq = vu.Irqs(msix=2)

    stored = vu.Reg(0x00)
    computed = vu.Reg(0x04, "ro", stored=False)
    command = vu.Reg(0x08, "wo", stored=False)
    seen = vu.Reg(0x0C, "rc")
    array = vu.Reg(0x10, bits=16, count=4)
    single = vu.Reg(0x18, count=1)
    locked = vu.Reg(0x20, lock="lock.on")
    lock = vu.Reg(0x24, fields={"on": vu.Field(3)})
    decided = vu.Reg(0x28)
    bell = vu.Reg(0x2C)
    fails = vu.Reg(0x30)
    source = vu.Reg(0x40, bits=64)
    copy = vu.Reg(0x48, "wo", stored=False)
    log = vu.State("")

    def __init__(self):
        self.calls = []

    @stored.on_write
    def stored_written(self, old, new):
        self.calls.append(("stored", old, new))

    @computed.read_with
    def compute(self):
        return len(self.calls)

    @command.write_with
    def run(self, bits):
        self.calls.append(("run", bits))

    @seen.on_read
    def was_seen(self, value):
        self.calls.append(("seen", value))

    @array.on_write
    def array_written(self, element, old, new):
        self.calls.append(("array", element, old, new))

    @single.on_write
    def single_written(self, element, old, new):
        self.calls.append(("single", element, old, new))

    @decided.lock_with
    def is_locked(self):
        return self.decided != 0

    @bell.kick
    def kicked(self):
        self.irq[1].raise_()

    @fails.write_with
    def fail(self, bits):
        raise RuntimeError(f"no {bits}")

    @copy.write_with
    def copy_memory(self, length):
        data = self.dma.read(self.source, length)
        self.dma.write(self.source + length, data[::-1])

    def reset(self, kind):
        self.log = kind


def test_hooks_receive_what_their_kinds_say():
    bench = vu.Bench(Card())
    device = bench.device
    bench.reg.stored = 7
    bench.reg.command = 9
    device.seen = 3
    assert (bench.reg.seen, bench.reg.seen) == (3, 0)
    bench.reg.array[2] = 5
    expected = [("stored", 0, 7), ("run", 9), ("seen", 3), ("seen", 0), ("array", 2, 0, 5)]
    assert device.calls == expected
    assert bench.reg.computed == 5
    assert list(device.array) == [0, 0, 5, 0]


def test_an_array_may_have_one_element():
    bench = vu.Bench(Card())
    bench.reg.single = 6
    assert bench.device.calls == [("single", 0, 0, 6)]
    assert list(bench.device.single) == [6]


def test_changes_of_the_command_register():
    class Watching(Card):
        def command_changed(self, old, new):
            self.calls.append((old, new))

    bench = vu.Bench(Watching())
    bench.config.write16(4, 0x2)
    bench.config.write16(4, 0x6)
    bench.config.write16(4, 0x6)
    assert bench.device.calls[-1] == (0x2, 0x6)


def test_locks_and_doorbells():
    bench = vu.Bench(Card())
    bench.reg.locked = 1
    bench.reg.lock = 8
    bench.reg.locked = 2
    assert bench.reg.locked == 1
    bench.reg.decided = 1
    bench.reg.decided = 2
    assert bench.reg.decided == 1
    bench.reg.bell = 1
    assert (bench.take_irq(0), bench.take_irq(1)) == (0, 1)


def test_memory_of_the_client():
    bench = vu.Bench(Card())
    bench.write_memory(0x100, b"abcd")
    bench.reg.source = 0x100
    bench.reg.copy = 4
    assert bench.read_memory(0x100, 8) == b"abcddcba"
    bench.reg.source = 1 << 40
    with pytest.raises(vu.DmaError, match="0x10000000000"):
        bench.reg.copy = 4
    with pytest.raises(IndexError, match="0x100000 bytes"):
        bench.read_memory(0xFFFFF, 2)


def test_a_reset_calls_the_method_last():
    bench = vu.Bench(Card())
    bench.device.log = "before"
    bench.reset("function")
    assert bench.device.log == "function"
    with pytest.raises(ValueError, match='"device" and "function"'):
        bench.reset("hot")


def test_an_exception_reaches_the_test():
    bench = vu.Bench(Card())
    with pytest.raises(RuntimeError, match="no 3"):
        bench.reg.fails = 3
    bench.reg.stored = 1
    assert bench.reg.stored == 1


def test_an_exception_ends_the_session(socket, monkeypatch):
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", lambda raised: reported.append(raised.exc_value))
    with Card.serve(socket) as server:
        first = server.device
        with vu.Client(socket, Card) as dev:
            dev.stored = 5
            with pytest.raises(vu.RefusedError, match="EIO"):
                dev.fails = 3
            with pytest.raises(vu.DisconnectedError):
                dev.stored
        with vu.Client(socket, Card, patience=PATIENCE) as dev:
            assert dev.stored == 0
        assert server.device is not first
    assert [str(error) for error in reported] == ["no 3"]


class Unready(Card):
    def start(self):
        raise RuntimeError("not ready")


def test_an_exception_at_the_start_reaches_the_test(socket):
    with pytest.raises(RuntimeError, match="not ready"):
        vu.Bench(Unready())
    with pytest.raises(RuntimeError, match="not ready"):
        Unready.serve(socket)


def test_only_hooks_use_the_device():
    device = Card()
    with pytest.raises(vu.HookError, match="not served"):
        device.post(print)
    bench = vu.Bench(device)
    with pytest.raises(vu.HookError, match="post"):
        device.irq[0].raise_()
    with pytest.raises(vu.HookError, match="post"):
        device.dma.read(0, 4)
    with pytest.raises(IndexError, match="declares 2"):
        device.irq[2]
    thread = threading.Thread(target=lambda: device.post(device.irq[0].raise_))
    thread.start()
    assert bench.wait_irq(0, PATIENCE) == 1
    thread.join()


def test_a_device_is_used_once():
    device = Card()
    bench = vu.Bench(device)
    with pytest.raises(vu.HookError, match="already"):
        vu.Bench(device)
    del bench
    vu.Bench(device)


def test_a_subclass_overrides_hooks():
    class Faulty(Card):
        def compute(self):
            return 0xBAD

    assert vu.Bench(Faulty()).reg.computed == 0xBAD


def test_a_hook_of_the_wrong_type_fails():
    class Wrong(Card):
        def compute(self):
            return "many"

    with pytest.raises(TypeError):
        vu.Bench(Wrong()).reg.computed


def test_values_have_to_fit():
    device = Card()
    with pytest.raises(ValueError, match="stored has 32 bits"):
        device.stored = -1
    with pytest.raises(TypeError, match="`log` has the type String"):
        device.log = 5
    with pytest.raises(AttributeError, match=r"array\[i\]"):
        device.array = 1
    with pytest.raises(IndexError, match="4 elements"):
        device.array[4]
