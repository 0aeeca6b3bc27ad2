"""Memory in BARs: bytes of the device, and memory that clients map."""

import json
import threading

import pytest
import vfio_user as vu

PCI = vu.Pci(vendor=0x1234, device=0x0004)


class Card(vu.Device):
    """Has a memory with each kind of reset, and a shared BAR."""

    pci = PCI
    bar0 = vu.Bar(0, size=0x4000)
    bar2 = vu.Bar(2, "mem64", size=0x4000, shared=[(0x1000, 0x3000)])

    fill = vu.Reg(0x00, "wo", stored=False)
    share = vu.Reg(0x04, "wo", stored=False)
    scratch = vu.Reg(0x08)
    program = vu.MemoryRange(0x1000, 0x1100)
    buffer = vu.MemoryRange(0x1100, 0x1180, reset="zero", doc="Packets.")
    log = vu.MemoryRange(0x1180, 0x1190, reset="keep")

    def __init__(self):
        self.program[0:4] = b"\x7fELF"
        self.writes = []

    @fill.write_with
    def filled(self, bits):
        self.buffer[:] = bytes([bits & 0xFF]) * len(self.buffer)
        self.log[-1] = self.log[-1] + 1 & 0xFF

    @buffer.on_write
    def written(self, start, stop):
        self.writes.append((start, stop, self.buffer[start:stop]))

    @share.write_with
    def shared(self, bits):
        self.bar2.write32(0x1000, bits)
        self.bar2.write(0x1010, b"text")

    def reset(self, kind):
        self.bar2.clear()


@pytest.mark.parametrize("test", vu.conformance_tests(Card))
def test_conformance(test):
    test()


def test_messages_of_any_length_reach_the_bytes():
    bench = vu.Bench(Card())
    assert bench.bar[0].read(0x1000, 5) == b"\x7fELF\0"
    bench.bar[0].write(0x1103, b"packet")
    assert bench.device.writes == [(3, 9, b"packet")]
    assert bench.bar[0].read(0x1102, 8) == b"\0packet\0"
    bench.bar[0].write32(0, 0xAB)
    assert bench.bar[0].read(0x1100, 0x80) == b"\xab" * 0x80
    assert bench.bar[0].read8(0x118F) == 1
    assert bench.peek("buffer[5]") == 0xAB


def test_resets_of_memories():
    bench = vu.Bench(Card())
    bench.bar[0].write(0x1000, b"other")
    bench.bar[0].write32(0, 0xAB)
    bench.reset()
    assert bench.bar[0].read(0x1000, 5) == b"\x7fELF\0"
    assert bench.bar[0].read(0x1100, 4) == bytes(4)
    assert bench.bar[0].read8(0x118F) == 1


def test_memories_migrate():
    source, target = vu.Bench(Card()), vu.Bench(Card())
    source.bar[0].write(0x1010, b"moved")
    target.load(source.save())
    assert target.bar[0].read(0x1010, 5) == b"moved"

    class Larger(vu.Device, name="card"):
        pci = PCI
        bar0 = vu.Bar(0, size=0x4000)
        program = vu.MemoryRange(0x1000, 0x1100)
        buffer = vu.MemoryRange(0x1100, 0x1200, reset="zero")

    class Smaller(vu.Device, name="card"):
        pci = PCI
        bar0 = vu.Bar(0, size=0x4000)
        program = vu.MemoryRange(0x1000, 0x1100)
        buffer = vu.MemoryRange(0x1100, 0x1180, reset="zero")

    with pytest.raises(vu.StateError, match="buffer"):
        vu.Bench(Larger()).load(vu.Bench(Smaller()).save())


def test_only_hooks_use_memories():
    device = Card()
    assert device.program[0] == 0x7F and device.program[1:4] == b"ELF"
    bench = vu.Bench(device)
    with pytest.raises(vu.HookError, match="only hooks of the device may use its timers and mem"):
        device.program[0]
    device.post(lambda: device.writes.append(bytes(device.program)[:4]))
    bench.handle_events()
    assert device.writes == [b"\x7fELF"]
    del bench
    assert device.program[-1] == 0


def test_a_slice_takes_bytes_and_no_number():
    card = Card()
    with pytest.raises(TypeError):
        card.program[0:4] = 4
    assert card.program[0:4] == b"\x7fELF"
    card.program[0:2] = bytearray(b"ab")
    assert card.program[0:4] == b"abLF"


def test_bytes_outside_a_memory():
    memory = Card().program
    assert len(memory) == 0x100
    for use in (lambda: memory[0x100], lambda: memory[-0x101]):
        with pytest.raises(IndexError, match="the memory has 0x100 bytes"):
            use()
    assert memory[0xFE:0x200] == bytes(2) and memory[5:3] == b""
    with pytest.raises(ValueError, match="3 bytes in place of 2"):
        memory[0:2] = b"abc"
    with pytest.raises(ValueError, match="the step is 2"):
        memory[0:4:2]
    with pytest.raises(ValueError, match="range"):
        memory[0] = 256
    with pytest.raises(AttributeError, match="set program"):
        Card().program = b""


def test_shared_memory_of_a_bar(socket):
    with Card.serve(socket) as server, vu.Client(socket, Card) as dev:
        dev.share = 0xCAFE
        assert dev.bar[2].read32(0x1000) == 0xCAFE
        assert dev.bar[2].read(0x1010, 4) == b"text"
        dev.bar[2].write(0x2FFC, b"last")
        shared = server.device.bar2
        found = []
        # Any thread may use it.
        thread = threading.Thread(target=lambda: found.append(shared.read(0x2FFC, 4)))
        thread.start()
        thread.join()
        assert found == [b"last"]
        with pytest.raises(IndexError):
            shared.read32(0x3000)
        with pytest.raises(IndexError):
            shared.write(0xFFF, b"ab")
        with pytest.raises(AttributeError, match="BAR 2 cannot be replaced"):
            server.device.bar2 = b""


def test_a_read_that_is_too_long():
    bench = vu.Bench(Card())
    with pytest.raises(OverflowError, match="at most 16777216"):
        bench.device.bar2.read(0x1000, (16 << 20) + 1)


def test_memory_of_a_bar_that_is_not_shared():
    device = Card()
    with pytest.raises(vu.HookError, match="not served"):
        device.bar2.read(0x1000, 4)
    bench = vu.Bench(device)
    with pytest.raises(IndexError):
        device.bar0.read(0, 4)
    bench.reg.share = 1
    assert device.bar2.read32(0x1000) == 1


def test_a_description_has_the_memories():
    bars = json.loads(Card.describe("json"))["bars"]
    assert bars[1]["shared"] == [{"start": "0x1000", "end": "0x3000"}]
    memories = bars[0]["memories"]
    assert [memory["name"] for memory in memories] == ["program", "buffer", "log"]
    assert [memory["acts_on_writes"] for memory in memories] == [False, True, False]
    assert memories[1]["doc"] == "Packets."


def test_a_mirror_and_a_big_endian_bar():
    class Mirrored(vu.Device):
        pci = PCI
        bar0 = vu.Bar(0, size=0x100, big=True)
        bar1 = vu.Bar(1, "io", size=0x100, mirror=0)
        value = vu.Reg(0, bits=32)

    bench = vu.Bench(Mirrored())
    bench.bar[1].write(0, b"\x01\x02\x03\x04")
    assert bench.device.value == 0x01020304


def declare(**members):
    members = {"pci": PCI, "bar0": vu.Bar(0, size=0x1000), **members}
    return type("Card", (vu.Device,), members)


@pytest.mark.parametrize(
    ("declaration", "text"),
    [
        (lambda: vu.MemoryRange(-1, 4), "MemoryRange: start is -1"),
        (lambda: vu.MemoryRange(0, 4, reset="ones"), "reset is 'ones'; .*'zero', 'keep'"),
        (lambda: vu.MemoryRange(0, 4, bar=6), "bar is 6"),
        (lambda: declare(a=vu.MemoryRange(4, 4)), "Card: .*a"),
        (lambda: declare(a=vu.MemoryRange(0, 0x1001)), "Card: .*a"),
        (lambda: declare(a=vu.MemoryRange(0, 8), b=vu.Reg(4)), "Card: .*overlap"),
        (lambda: declare(a=vu.MemoryRange(0, 8, bar=3)), "Card: .*BAR 3"),
        (lambda: vu.Bar(0, size=0x1000, shared=[5]), "an area of shared is 5; a pair"),
        (lambda: declare(b=vu.Bar(1, size=0x1000, shared=[(0, 5)])), "Card: .*"),
        (lambda: declare(b=vu.Bar(1, size=0x1000, mirror=3)), "Card: .*BAR 3"),
        (lambda: vu.Bar(0, size=0x1000, mirror=7), "mirror is 7"),
    ],
)
def test_wrong_declarations(declaration, text):
    with pytest.raises(vu.DeclarationError, match=text):
        declaration()
