"""Composed interrupts: a status, and the registers that enable, mask, set and clear its bits."""

import json

import pytest
import vfio_user as vu
from conftest import PATIENCE

PCI = vu.Pci(vendor=0x1234, device=0x0005)


class Card(vu.Device):
    """Has an interrupt of each kind."""

    pci = PCI
    bar0 = vu.Bar(0, size=0x1000)
    irq = vu.Irqs(intx=True, msix=3)

    status = vu.Reg(0x00, "w1c", intr=vu.Intr(enable="enable", mask="mask", test="test"))
    enable = vu.Reg(0x04)
    mask = vu.Reg(0x08)
    test = vu.Reg(0x0C, "wo", stored=False)
    full = vu.Reg(0x10, "ro", bits=8, intr=vu.Intr(trigger="level", vector=1))
    push = vu.Reg(0x14, "wo", bits=8, stored=False)
    errors = vu.Reg(0x18, "ro", bits=16, intr=vu.Intr(clear="clear", vector=2))
    clear = vu.Reg(0x1A, "wo", bits=16, stored=False)

    @push.write_with
    def pushed(self, bits):
        self.full = bits

    def fail(self):
        self.errors |= 0x8000


@pytest.mark.parametrize("test", vu.conformance_tests(Card))
def test_conformance(test):
    test()


def taken(bench):
    return [bench.take_irq(number) for number in range(3)]


def test_events_are_enabled_masked_and_acknowledged():
    bench = vu.Bench(Card())
    bench.reg.test = 3
    assert (bench.reg.status, taken(bench)) == (3, [0, 0, 0])
    bench.reg.enable = 2
    assert taken(bench) == [1, 0, 0]
    bench.reg.mask = 2
    bench.reg.status = 2
    bench.reg.test = 2
    assert taken(bench) == [0, 0, 0]
    bench.reg.mask = 0
    assert taken(bench) == [1, 0, 0]
    assert bench.reg.status == 3


def test_levels_and_clear_registers():
    bench = vu.Bench(Card())
    bench.reg.push = 1
    bench.reg.push = 3
    assert taken(bench) == [0, 1, 0]
    bench.device.post(bench.device.fail)
    bench.handle_events()
    assert (bench.reg.errors, taken(bench)) == (0x8000, [0, 0, 1])
    bench.reg.clear = 0x8000
    assert bench.reg.errors == 0


def test_the_line_follows_the_status(socket):
    with Card.serve(socket), vu.Client(socket, Card) as dev:
        dev.enable_irqs("intx")
        dev.enable = 1
        dev.test = 1
        assert dev.irq[0].wait(PATIENCE) == 1
        assert dev.config.read16(6) & 8
        dev.status = 1
        assert not dev.config.read16(6) & 8


def test_what_requests_an_interrupt_migrates():
    source, target = vu.Bench(Card()), vu.Bench(Card())
    source.reg.test = 4
    target.load(source.save())
    target.reg.enable = 4
    assert taken(target) == [1, 0, 0]


class Uart(vu.Device):
    """Identifies its interrupt by a number, as a 16550 does."""

    pci = PCI
    bar0 = vu.Bar(0, "io", size=8)
    irq = vu.Irqs(intx=True)

    iir = vu.Reg(2, "ro", bits=8, reset=1, intr=vu.Intr(enable="ier", trigger="level"))
    ier = vu.Reg(1, bits=8, mask=3)
    causes = vu.Reg(4, bits=8)

    @iir.status_with
    def active(self):
        return self.causes & 3

    @iir.on_composed
    def identify(self, active):
        self.iir = 4 if active & 1 else 2 if active & 2 else 1


@pytest.mark.parametrize("test", vu.conformance_tests(Uart, exclude=["iir"]))
def test_conformance_of_an_identified_interrupt(test):
    test()


def test_an_interrupt_is_identified():
    bench = vu.Bench(Uart())
    bench.reg.causes = 3
    assert (bench.reg.iir, bench.take_irq()) == (1, 0)
    bench.reg.ier = 2
    assert (bench.reg.iir, bench.take_irq()) == (2, 1)
    bench.reg.ier = 3
    assert bench.reg.iir == 4
    bench.reg.causes = 0
    assert bench.reg.iir == 1


def test_an_exception_of_a_status_reaches_the_test():
    class Faulty(Uart):
        def active(self):
            return "many" if self.causes else 0

    bench = vu.Bench(Faulty())
    with pytest.raises(TypeError):
        bench.reg.causes = 1


def test_a_description_has_the_interrupts():
    composed = json.loads(Card.describe("json"))["interrupts"]["composed"]
    assert [(entry["status"], entry["vector"]) for entry in composed] == [
        ("status", 0),
        ("full", 1),
        ("errors", 2),
    ]
    assert (composed[0]["enable"], composed[0]["mask"]) == ("enable", "mask")


def declare(**members):
    members = {"pci": PCI, "bar0": vu.Bar(0, size=0x1000), "irq": vu.Irqs(msix=1), **members}
    return type("Card", (vu.Device,), members)


def reg(offset, policy="w1c", **options):
    return vu.Reg(offset, policy, **options)


@pytest.mark.parametrize(
    ("declaration", "text"),
    [
        (lambda: vu.Intr(trigger="edge"), "trigger is 'edge'; accepted are 'event', 'level'"),
        (lambda: vu.Intr(vector=-1), "vector is -1"),
        (lambda: reg(0, intr=True), "register at 0: intr is True; an Intr is accepted"),
        (
            lambda: declare(a=reg(0, intr=vu.Intr(enable="b"))),
            "Card.a: enable 'b' is no register; these are: a",
        ),
        (lambda: declare(a=reg(0, intr=vu.Intr(test="b"))), "Card.a: test 'b' is no register"),
        (lambda: declare(a=reg(0, intr=vu.Intr(clear="b"))), "Card.a: clear 'b' is no register"),
        (lambda: declare(a=reg(0, "rw", intr=vu.Intr())), "Card: .*`a`"),
        (lambda: declare(a=reg(0, intr=vu.Intr(vector=1))), "Card: .*1"),
        (
            lambda: declare(a=reg(0, intr=vu.Intr(mask="b")), b=vu.Reg(4, bits=8)),
            "Card: .*`b`",
        ),
        (lambda: declare(a=reg(0, intr=vu.Intr(trigger="level"))), "Card: .*`a`"),
    ],
)
def test_wrong_declarations(declaration, text):
    with pytest.raises(vu.DeclarationError, match=text):
        declaration()


def test_a_status_hook_needs_an_interrupt():
    with pytest.raises(vu.DeclarationError, match=r"Card.iir has a hook .* needs intr=Intr\(..\)"):

        class Card(vu.Device):
            pci = PCI
            bar0 = vu.Bar(0, size=0x1000)
            iir = vu.Reg(0)

            @iir.status_with
            def active(self):
                return 0
