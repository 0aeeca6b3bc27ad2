"""Wrong declarations: the errors name the attribute and what is accepted."""

import pytest
import vfio_user as vu

PCI = vu.Pci(vendor=0x1234, device=0x0001)


def declare(**members):
    members = {"pci": PCI, "bar0": vu.Bar(0, size=0x1000), **members}
    return type("Card", (vu.Device,), members)


@pytest.mark.parametrize(
    ("declaration", "text"),
    [
        (lambda: vu.Pci(vendor=0x12345, device=1), "vendor is 74565; .* 0 to 0xffff"),
        (lambda: vu.Bar(6, size=0x1000), "index is 6; accepted are 0, 1"),
        (lambda: vu.Bar(0, "mem16", size=0x1000), "BAR 0: the kind is 'mem16'; .*'mem64'"),
        (lambda: vu.Bar(0, size=0x1000, unmapped="x"), "unmapped is 'x'; .*'refuse'"),
        (lambda: vu.Reg(4, "w1x"), "register at 4: the policy is 'w1x'; .*'w1c'"),
        (lambda: vu.Reg(4, bits=24), "bits is 24; accepted are 8, 16, 32, 64"),
        (lambda: vu.Reg(4, bits=8, reset=256), "reset is 256; .* 0 to 0xff"),
        (lambda: vu.Reg(-4), "offset of a register is -4"),
        (lambda: vu.Field(64), "shift is 64"),
        (lambda: vu.Field(60, 8), "width is 8; accepted are 1, 2, 3, 4"),
        (lambda: vu.Irqs(msi=3), "msi is 3; accepted are 0, 1, 2, 4"),
        (lambda: vu.State(1.5), "1.5; a bool, int, str, bytes or tuple"),
        (lambda: vu.State(1, "u128"), "type is 'u128'; .*'u64'"),
        (lambda: declare(a=vu.Reg(2)), "Card: .*`?a`?.* 0x2"),
        (lambda: declare(a=vu.Reg(0), b=vu.Reg(0)), "Card: .*overlap"),
        (lambda: declare(a=vu.Reg(0x1000)), "Card: .*a.*outside|Card: .*beyond|Card: .*BAR 0"),
        (lambda: declare(a=vu.Reg(0, bar=2)), "Card: .*BAR 2"),
        (lambda: declare(bar0=vu.Bar(0, size=0x1001)), "Card: .*power of two"),
        (lambda: declare(a=vu.Reg(0, lock="b")), "a: the lock 'b' is no register; these are: a"),
        (lambda: declare(pci=5), "Card.pci is 5; a Pci is accepted"),
        (lambda: declare(irq=vu.Irqs(intx=True), more=vu.Irqs(msi=1)), "Irqs more than once"),
        (lambda: declare(irq=vu.Irqs(msix=1, msix_bar=0)), "msix_bar with table and pba"),
    ],
)
def test_wrong_declarations(declaration, text):
    with pytest.raises(vu.DeclarationError, match=text):
        declaration()


def test_a_hook_with_the_name_of_its_register():
    with pytest.raises(vu.DeclarationError, match="Card.status is a hook with the name"):

        class Card(vu.Device):
            pci = PCI
            bar0 = vu.Bar(0, size=0x1000)
            status = vu.Reg(0)

            @status.on_write
            def status(self, old, new):
                pass


def test_a_hook_with_the_name_of_a_method():
    with pytest.raises(vu.DeclarationError, match="Card.reset is a hook of status, and the runtime"):

        class Card(vu.Device):
            pci = PCI
            bar0 = vu.Bar(0, size=0x1000)
            status = vu.Reg(0)

            @status.on_write
            def reset(self, old, new):
                pass


def test_a_register_with_the_name_of_a_method():
    bench = vu.Bench(declare(start=vu.Reg(0), reset=vu.Reg(4))())
    bench.reg.reset = 5
    bench.reset()
    assert (bench.reg.start, bench.reg.reset) == (0, 0)


def test_two_hooks_of_one_kind():
    register = vu.Reg(0)
    register.on_write(lambda device, old, new: None)
    with pytest.raises(vu.DeclarationError, match="on_write already"):
        register.on_write(lambda device, old, new: None)


def test_a_class_without_pci_is_no_device():
    class Base(vu.Device):
        scratch = vu.Reg(0)

    with pytest.raises(vu.DeclarationError, match="Base has no attribute `pci`"):
        Base()
    with pytest.raises(vu.DeclarationError, match="Base has no attribute `pci`"):
        Base.describe()

    class Card(Base):
        pci = PCI
        bar0 = vu.Bar(0, size=0x1000)

    bench = vu.Bench(Card())
    bench.reg.scratch = 3
    assert bench.reg.scratch == 3


def test_every_type_of_state_migrates():
    class Card(vu.Device):
        pci = PCI
        flag = vu.State(False)
        small = vu.State(1, "u8")
        signed = vu.State(-5, "i64")
        large = vu.State(1 << 63)
        text = vu.State("a")
        data = vu.State(b"\x00\xff")
        numbers = vu.State((1, 2))

    source, target = Card(), Card()
    source.flag, source.small, source.signed, source.large = True, 255, -(1 << 63), 7
    source.text, source.data, source.numbers = "ü", b"xyz", (1 << 63, 0)
    benches = vu.Bench(source), vu.Bench(target)
    benches[1].load(benches[0].save())
    names = ("flag", "small", "signed", "large", "text", "data", "numbers")
    assert [getattr(target, name) for name in names] == [getattr(source, name) for name in names]
    with pytest.raises(TypeError, match="`small` has the type u8"):
        target.small = 256


def test_a_device_that_does_not_migrate():
    class Card(vu.Device, migrate=False, name="fixed"):
        pci = PCI

    assert "fixed" in Card.describe()
    with pytest.raises(vu.StateError, match="does not migrate"):
        vu.Bench(Card()).save()
