"""Blocks: elements with their registers, state, timers and interrupts; blocks in blocks."""

import gc
import json
import re
import weakref

import pytest
import vfio_user as vu
from conftest import PATIENCE

PCI = vu.Pci(vendor=0x1234, device=0x0002)


class Channel(vu.Block):
    """A channel in a ring."""

    head = vu.Reg(0x00)
    doorbell = vu.Reg(0x04, "wo", stored=False)
    levels = vu.Reg(0x08, bits=16, count=2)
    rings = vu.State(0)

    def __init__(self):
        self.calls = []

    @doorbell.write_with
    def ring(self, bits):
        self.head = self.head + bits & 0xFFFFFFFF
        self.rings += 1
        self.device.calls.append((getattr(self.parent, "index", None), self.index, bits))

    @levels.on_write
    def level_written(self, element, old, new):
        self.calls.append((element, old, new))


class Ring(vu.Block):
    status = vu.Reg(0x00, "w1c", intr=vu.Intr(enable="enable", test="test"))
    enable = vu.Reg(0x04, reset=1)
    test = vu.Reg(0x08, "wo", stored=False)
    delay = vu.Reg(0x0C)
    retry = vu.Timer()
    channels = vu.Blocks(Channel, 0x20, count=4, stride=0x10)

    @delay.on_write
    def start(self, old, new):
        self.retry.arm(new / 1000)

    @retry.on_expire
    def expired(self):
        self.status |= 1


class Nic(vu.Device):
    pci = PCI
    bar0 = vu.Bar(0, size=0x1000)
    irq = vu.Irqs(msix=4)
    calls: list

    mode = vu.Reg(0x00)
    rings = vu.Blocks(Ring, 0x100, count=3, stride=0x80, vector=1, vector_stride=1)
    spare = vu.Blocks(Channel, 0x400)
    total = vu.State(5)

    def __init__(self):
        self.calls = []


@pytest.mark.parametrize("test", vu.conformance_tests(Nic))
def test_conformance(test):
    test()


def test_hooks_are_methods_of_the_elements():
    bench = vu.Bench(Nic())
    bench.bar[0].write32(0x100 + 0x80 * 2 + 0x20 + 0x10 * 3 + 4, 7)
    bench.reg.rings[1].channels[0].doorbell = 8
    assert bench.device.calls == [(2, 3, 7), (1, 0, 8)]
    nic = bench.device
    assert [ring.channels[3].head for ring in nic.rings] == [0, 0, 7]
    assert nic.rings[2].channels[3].rings == 1 == nic.rings[1].channels[0].rings
    assert (bench.reg.rings[2].channels[3].head, bench.peek("rings[2].channels[3].head")) == (7, 7)
    bench.reg.spare.levels[1] = 9
    assert nic.spare.calls == [(1, 0, 9)] and nic.rings[0].channels[1].calls == []
    assert (nic.spare.index, nic.spare.parent, nic.rings[1].channels[2].device) == (0, nic, nic)


def test_every_element_has_its_interrupt_and_its_timer():
    bench = vu.Bench(Nic())
    bench.reg.rings[1].test = 1
    assert [bench.take_irq(number) for number in range(4)] == [0, 0, 1, 0]
    bench.reg.rings[2].enable = 0
    bench.reg.rings[2].delay = 500
    bench.reg.rings[0].delay = 1000
    bench.advance(0.6)
    assert [ring.status for ring in bench.device.rings] == [0, 1, 1]
    assert [bench.take_irq(number) for number in range(4)] == [0, 0, 0, 0]
    bench.reg.rings[2].enable = 1
    bench.advance(0.5)
    assert [bench.take_irq(number) for number in range(4)] == [0, 1, 0, 1]


def test_all_of_it_migrates_and_is_reset():
    source, target = vu.Bench(Nic()), vu.Bench(Nic())
    source.reg.rings[1].channels[2].doorbell = 3
    source.reg.rings[0].delay = 100
    source.device.total = 6
    target.load(source.save())
    channel = target.device.rings[1].channels[2]
    assert (channel.head, channel.rings, target.device.total) == (3, 1, 6)
    assert target.device.rings[1].channels[1].rings == 0
    target.advance(0.2)
    assert target.reg.rings[0].status == 1
    target.reset()
    assert (channel.head, channel.rings, target.device.total) == (0, 0, 5)
    target.advance(1)
    assert target.reg.rings[0].status == 0


def test_names_over_a_socket(socket):
    with Nic.serve(socket) as server, vu.Client(socket, Nic) as dev:
        dev.enable_irqs()
        dev.rings[2].channels[1].doorbell = 4
        assert dev.rings[2].channels[1].head == 4
        assert server.device.rings[2].channels[1].rings == 1
        dev.rings[0].delay = 1
        assert dev.irq[1].wait(PATIENCE) == 1
        assert dev.rings[0].status == 1
        with pytest.raises(AttributeError, match="spare is a block; set its registers"):
            dev.spare = 1
        with pytest.raises(AttributeError, match="'tail' is no register; these are: head, doorbell"):
            dev.spare.tail


def test_a_description_has_the_blocks():
    bar = json.loads(Nic.describe("json"))["bars"][0]
    rings, spare = bar["blocks"]
    assert (rings["name"], rings["count"], rings["stride"]) == ("rings", 3, "0x80")
    assert [inner["name"] for inner in rings["blocks"]] == ["channels"]
    assert [register["name"] for register in spare["registers"]] == ["head", "doorbell", "levels"]


def test_a_subclass_of_a_block_overrides_hooks():
    class Deaf(Channel):
        def ring(self, bits):
            self.head = 0xDEAF

    class Card(vu.Device):
        pci = PCI
        bar0 = vu.Bar(0, size=0x1000)
        one = vu.Blocks(Deaf, 0)
        other = vu.Blocks(Channel, 0x100, count=1)

        def __init__(self):
            self.calls = []

    bench = vu.Bench(Card())
    bench.reg.one.doorbell = 1
    assert bench.reg.one.head == 0xDEAF
    bench.reg.other.doorbell = 2
    assert (bench.reg.other.head, bench.device.calls) == (2, [(None, 0, 2)])


def test_blocks_lie_in_configuration_space_too():
    class Pair(vu.Block):
        low = vu.Reg(0x0, bits=16)
        high = vu.Reg(0x2, bits=16)

    class Card(vu.Device):
        pci = PCI
        pairs = vu.Blocks(Pair, 0x80, bar="config", count=2)

    bench = vu.Bench(Card())
    bench.config.write32(0x84, 0x00020001)
    assert (bench.reg.pairs[1].low, bench.device.pairs[1].high) == (1, 2)


def test_a_device_with_blocks_ends_with_its_bench():
    bench = vu.Bench(Nic())
    device = weakref.ref(bench.device)
    del bench
    gc.collect()
    assert device() is None


def test_a_block_does_not_exist_alone():
    with pytest.raises(vu.DeclarationError, match=re.escape("Blocks(Channel, ..)")):
        Channel()


def declare(**members):
    members = {"pci": PCI, "bar0": vu.Bar(0, size=0x1000), **members}
    return type("Card", (vu.Device,), members)


def block(**members):
    return type("Part", (vu.Block,), members)


@pytest.mark.parametrize(
    ("declaration", "text"),
    [
        (lambda: vu.Blocks(Nic, 0), "a subclass of Block is accepted"),
        (lambda: vu.Blocks(vu.Block, 0), "a subclass of Block is accepted"),
        (lambda: vu.Blocks(Channel, -1), "offset of a block is -1"),
        (lambda: vu.Blocks(Channel, 0, bar=9), "block at 0: bar is 9; .*'config'"),
        (lambda: vu.Blocks(Channel, 0, count=0), "count is 0; an integer from 1 to 0xffffff"),
        (lambda: declare(a=vu.Blocks(Channel, 2)), "Card: .*a"),
        (lambda: declare(a=vu.Blocks(Channel, 0, count=4096)), "Card: .*a"),
        (lambda: declare(a=vu.Blocks(Channel, 0), b=vu.Reg(4)), "Card: .*overlap"),
        (lambda: declare(a=vu.Blocks(Channel, 0, count=2, stride=4)), "Card: .*a"),
        (lambda: declare(a=vu.Blocks(Ring, 0, vector=9)), "Card: .*"),
        (lambda: block(index=vu.Reg(0)), "Part.index hides an attribute that every Block has"),
        (lambda: block(bar=vu.Bar(0, size=0x1000)), "Part.bar is a Bar, which a device declares"),
        (lambda: block(ram=vu.MemoryRange(0, 4)), "Part.ram is a MemoryRange"),
        (lambda: block(a=vu.Reg(0, lock="mode")), "Part.a: the lock 'mode' is no register"),
        (lambda: declare(dma=vu.Reg(0)), "Card.dma hides an attribute that every Device has"),
    ],
)
def test_wrong_declarations(declaration, text):
    with pytest.raises(vu.DeclarationError, match=text):
        declaration()


def test_recursive_blocks_are_refused():
    deep = type("Deep0", (vu.Block,), {"value": vu.Reg(0)})
    for level in range(1, 8):
        deep = type(f"Deep{level}", (vu.Block,), {"inner": vu.Blocks(deep, 0)})
    with pytest.raises(vu.DeclarationError, match="Card: "):
        declare(a=vu.Blocks(deep, 0))


def test_elements_are_not_replaced():
    nic = Nic()
    with pytest.raises(AttributeError, match="rings is a block"):
        nic.rings = ()
    with pytest.raises(IndexError):
        nic.rings[3]
    nic.rings[1].delay = 3
    assert vu.Bench(nic).reg.rings[1].delay == 3
