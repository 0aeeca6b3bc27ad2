"""Capabilities, registers of configuration space, windows and ports."""

import json

import pytest
import vfio_user as vu

PCI = vu.Pci(vendor=0x1234, device=0x0006)


class Card(vu.Device):
    pci = PCI
    bar0 = vu.Bar(0, size=0x1000)
    bar1 = vu.Bar(1, size=0x1000)
    irq = vu.Irqs(msi=4)
    capabilities = [
        vu.Capability.pm(d1=True, wakes_from=["d1", "d3hot"]),
        vu.Capability.msi(maskable=True),
        vu.Capability.express(flr=True, speed=3, width=4, payload=256),
        vu.Capability.vendor(b"\x01\x02\x03", writable=b"\x0f"),
        vu.Capability.custom(0x42, b"ab", offset=0xF0),
        vu.Capability.serial(0x0011_22FF_FF33_4455),
        vu.Capability.vsec(7, b"data", revision=2),
        vu.Capability.aer(),
    ]

    control = vu.Reg(0xE0, bits=16, bar="config", fields={"on": vu.Field(3)})
    index = vu.Reg(0x00, mask=0xFFF)
    data = vu.Reg(0x04, stored=False, window=vu.Window("index", bar=1, step=4))
    scratch = vu.Reg(0x10, bar=1)
    second = vu.Reg(0x14, bar=1)
    fifo = vu.Reg(0x20, bar=0, bits=64, stored=False, port=True)
    queue = vu.State(b"")
    changes = vu.State(0)

    @control.on_write
    def controlled(self, old, new):
        self.changes += 1

    @fifo.read_with
    def pop(self, length):
        taken, self.queue = self.queue[:length], self.queue[length:]
        return taken.ljust(length, b"\0")

    @fifo.write_with
    def push(self, data):
        self.queue = (self.queue + data)[:64]


@pytest.mark.parametrize("test", vu.conformance_tests(Card))
def test_conformance(test):
    test()


def capability(bench, wanted):
    """Returns the offset of a capability in the list."""
    place = bench.config.read8(0x34)
    while place:
        if bench.config.read8(place) == wanted:
            return place
        place = bench.config.read8(place + 1)
    raise AssertionError(f"no capability {wanted:#x}")


def test_a_guest_finds_the_capabilities():
    bench = vu.Bench(Card())
    vendor = capability(bench, 0x09)
    assert bench.config.read(vendor + 2, 4) == b"\x06\x01\x02\x03"
    bench.config.write8(vendor + 3, 0xFE)
    assert bench.config.read8(vendor + 3) == 0x0E
    assert capability(bench, 0x42) == 0xF0
    assert bench.config.read16(capability(bench, 0x01) + 2) >> 9 & 1
    express = capability(bench, 0x10)
    assert bench.config.read32(express + 4) & 1 << 28
    assert bench.config.read16(capability(bench, 0x05) + 2) & 0x100
    # The extended list begins with the serial number.
    assert bench.config.read16(0x100) == 3
    assert bench.config.read(0x104, 8) == (0x0011_22FF_FF33_4455).to_bytes(8, "little")


def test_a_guest_resets_the_function():
    bench = vu.Bench(Card())
    bench.reg.index = 5
    express = capability(bench, 0x10)
    bench.config.write16(express + 8, 0x8000)
    assert bench.reg.index == 0


def test_registers_of_configuration_space():
    bench = vu.Bench(Card())
    bench.config.write16(0xE0, 0xFFFF)
    assert (bench.reg.control, bench.device.control.on, bench.device.changes) == (8, 1, 1)
    bench.reset()
    assert bench.config.read16(0xE0) == 0


def test_a_window_reaches_another_bar():
    bench = vu.Bench(Card())
    bench.reg.index = 0x10
    bench.reg.data = 0xCAFE
    bench.reg.data = 0xF00D
    assert (bench.reg.scratch, bench.reg.second, bench.reg.index) == (0xCAFE, 0xF00D, 0x18)


def test_a_port_takes_bytes():
    bench = vu.Bench(Card())
    bench.bar[0].write(0x20, b"abc")
    bench.bar[0].write32(0x20, 0x64636261)
    assert bench.device.queue == b"abcabcd"
    assert (bench.bar[0].read8(0x20), bench.bar[0].read16(0x20)) == (ord("a"), 0x6362)
    assert bench.bar[0].read(0x20, 8) == b"abcd" + bytes(4)


def test_a_port_returns_as_many_bytes_as_are_read():
    class Wrong(Card):
        def pop(self, length):
            return b"abc"

    bench = vu.Bench(Wrong())
    with pytest.raises(ValueError, match="returns 3 bytes of 4"):
        bench.bar[0].read32(0x20)


def test_names_over_a_socket(socket):
    with Card.serve(socket), vu.Client(socket, Card) as dev:
        dev.control = 8
        assert dev.config.read16(0xE0) == 8 == dev.control
        dev.index = 0x14
        dev.data = 7
        assert dev.second == 7


def test_a_description_has_them():
    described = json.loads(Card.describe("json"))
    assert described["express"] is True
    assert [register["name"] for register in described["config"]["registers"]] == ["control"]
    kinds = [entry["name"] for entry in described["capabilities"]]
    assert kinds == ["pm", "msi", "express", "vendor", "custom", "serial", "vsec", "aer"]


def declare(**members):
    members = {"pci": PCI, "bar0": vu.Bar(0, size=0x1000), **members}
    return type("Card", (vu.Device,), members)


@pytest.mark.parametrize(
    ("declaration", "text"),
    [
        (lambda: declare(capabilities=vu.Capability.pm()), "Card.capabilities is .*list of Cap"),
        (lambda: declare(capabilities=["pm"]), "Card.capabilities is .*list of Capability"),
        (lambda: vu.Capability.pm(wakes_from=["d4"]), "wakes_from is 'd4'; accepted are 'd0'"),
        (lambda: vu.Capability.express("root"), "port is 'root'; accepted are 'endpoint'"),
        (lambda: vu.Capability.custom(0x100, b""), "custom: id is 256"),
        (lambda: vu.Capability.vsec(1, b"", revision=16), "vsec: revision is 16"),
        (lambda: declare(capabilities=[vu.Capability.serial(1)]), "Card: .*serial"),
        (lambda: declare(capabilities=[vu.Capability.msi()]), "Card: .*msi"),
        (lambda: declare(capabilities=[vu.Capability.pm()] * 2), "Card: .*pm"),
        (lambda: declare(capabilities=[vu.Capability.pm(wakes_from=["d2"])]), "Card: .*d2"),
        (lambda: declare(capabilities=[vu.Capability.express(speed=9)]), "Card: .*9"),
        (lambda: declare(capabilities=[vu.Capability.vendor(b"", offset=0x10)]), "Card: .*0x10"),
        (lambda: declare(a=vu.Reg(0x10, bar="config")), "Card: .*a"),
        (lambda: vu.Reg(0, bar="rom"), "bar is 'rom'; .*'config'"),
        (lambda: vu.Reg(0, window="index"), "window is 'index'; a Window is accepted"),
        (lambda: vu.Window("index", bar=6), "Window: bar is 6"),
        (
            lambda: declare(a=vu.Reg(0, stored=False, window=vu.Window("b"))),
            "Card.a: at 'b' is no register; these are: a",
        ),
        (
            lambda: declare(a=vu.Reg(0, stored=False, window=vu.Window("b.c")), b=vu.Reg(4)),
            "Card.a: at 'c' is no field of b; these are: none",
        ),
        (
            lambda: declare(a=vu.Reg(0, stored=False, window=vu.Window("b", bar=3)), b=vu.Reg(4)),
            "Card: .*BAR 3",
        ),
    ],
)
def test_wrong_declarations(declaration, text):
    with pytest.raises(vu.DeclarationError, match=text):
        declaration()
