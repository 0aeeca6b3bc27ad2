"""Timers: what arms them, when their hooks run, and what they do in a migration."""

import sys

import pytest
import vfio_user as vu
from conftest import PATIENCE


class Clock(vu.Device):
    """Has single, periodic and several timers."""

    pci = vu.Pci(vendor=0x1234, device=0x0003)
    bar0 = vu.Bar(0, size=0x1000)
    irq = vu.Irqs(msix=1)

    patience = vu.Reg(0x00)
    period = vu.Reg(0x04)
    ticks = vu.Reg(0x08, "ro")
    delays = vu.Reg(0x10, count=3)
    barks = vu.State(0)
    dog = vu.Timer(doc="Barks when nothing is written for long.")
    tick = vu.Timer()
    several = vu.Timer(count=3)

    def __init__(self):
        self.expired = []

    @patience.on_write
    def pat(self, old, new):
        self.dog.arm(new / 1000)

    @dog.on_expire
    def bark(self):
        self.barks += 1
        self.irq[0].raise_()
        self.dog.arm_again(self.patience / 1000)

    @period.on_write
    def set_period(self, old, new):
        if new == 0:
            self.tick.cancel()
        else:
            self.tick.arm_every(new / 1000)

    @tick.on_expire
    def ticked(self):
        self.ticks = self.ticks + 1 + self.tick.missed & 0xFFFFFFFF

    @delays.on_write
    def delay(self, element, old, new):
        self.several[element].arm(new / 1000)

    @several.on_expire
    def one_expired(self, element):
        self.expired.append((element, [timer.is_armed for timer in self.several]))


@pytest.mark.parametrize("test", vu.conformance_tests(Clock))
def test_conformance(test):
    test()


def test_a_timer_expires_once_and_again():
    bench = vu.Bench(Clock())
    bench.reg.patience = 1000
    bench.advance(0.999)
    assert bench.take_irq() == 0
    bench.advance(2.001)
    assert (bench.take_irq(), bench.device.barks) == (3, 3)


def test_a_periodic_timer_counts_what_it_misses():
    bench = vu.Bench(Clock())
    bench.reg.period = 250
    bench.advance(1.1)
    assert bench.reg.ticks == 4
    bench.reg.period = 0
    bench.advance(9)
    assert bench.reg.ticks == 4


def test_an_array_of_timers_passes_the_index():
    bench = vu.Bench(Clock())
    bench.reg.delays[2] = 1
    bench.reg.delays[0] = 2
    bench.advance(1)
    assert bench.device.expired == [(2, [True, False, False]), (0, [False, False, False])]


def test_a_reset_disarms():
    bench = vu.Bench(Clock())
    bench.reg.patience = 1000
    bench.reset()
    bench.advance(5)
    assert (bench.take_irq(), bench.device.barks) == (0, 0)


def test_remaining_times_and_periods_migrate():
    source, target = vu.Bench(Clock()), vu.Bench(Clock())
    source.reg.patience = 1000
    source.reg.period = 100
    source.advance(0.75)
    target.load(source.save())
    target.advance(0.2)
    assert (target.device.barks, target.reg.ticks) == (0, 9)
    target.advance(0.06)
    assert (target.device.barks, target.reg.ticks) == (1, 10)


def test_a_timer_of_a_server_interrupts(socket):
    with Clock.serve(socket) as server, vu.Client(socket, Clock) as dev:
        dev.enable_irqs()
        dev.patience = 1
        assert dev.irq[0].wait(PATIENCE) >= 1
        assert server.device.barks >= 1


def test_remaining_times_are_read_in_hooks():
    seen = []

    class Card(Clock):
        def delay(self, element, old, new):
            super().delay(element, old, new)
            seen.append((self.several[element].remaining, self.several[1].remaining))

        def one_expired(self, element):
            seen.append(self.several[element].remaining)

    bench = vu.Bench(Card())
    bench.reg.delays[0] = 1500
    bench.advance(2)
    assert seen == [(1.5, None), None]


def test_only_hooks_arm_timers():
    device = Clock()
    with pytest.raises(vu.HookError, match="only hooks of the device may use its timers"):
        device.dog.arm(1)
    bench = vu.Bench(device)
    for use in (lambda: device.dog.arm(1), device.dog.cancel, lambda: device.dog.remaining):
        with pytest.raises(vu.HookError, match="only hooks"):
            use()
    device.patience = 5000
    device.post(device.dog.arm, 1)
    bench.handle_events()
    bench.advance(1)
    assert device.barks == 1
    with pytest.raises(AttributeError, match="dog is a timer; arm it"):
        device.dog = 5


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 1e300])
def test_times_that_do_not_exist(seconds):
    bench = vu.Bench(Clock())
    bench.device.post(bench.device.dog.arm, seconds)
    with pytest.raises(ValueError, match="seconds"):
        bench.handle_events()
    bench.advance(10)
    assert bench.device.barks == 0


def test_an_exception_of_a_timer_reaches_the_test():
    class Faulty(Clock):
        def bark(self):
            raise RuntimeError("bitten")

    bench = vu.Bench(Faulty())
    bench.reg.patience = 10
    with pytest.raises(RuntimeError, match="bitten"):
        bench.advance(1)
    bench.advance(1)
    bench.reg.patience = 10
    with pytest.raises(RuntimeError, match="bitten"):
        bench.advance(1)


def test_an_exception_of_a_timer_ends_the_session(socket, monkeypatch):
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", lambda raised: reported.append(raised.exc_value))

    class Faulty(Clock):
        def bark(self):
            raise RuntimeError("bitten")

    with Faulty.serve(socket) as server:
        first = server.device
        with vu.Client(socket, Faulty) as dev:
            dev.patience = 1
            with pytest.raises((vu.DisconnectedError, vu.RefusedError)):
                while True:
                    dev.patience
        with vu.Client(socket, Faulty, patience=PATIENCE) as dev:
            assert dev.patience == 0
        assert server.device is not first
    assert [str(error) for error in reported] == ["bitten"]


def test_a_timer_needs_a_hook():
    with pytest.raises(vu.DeclarationError, match="Card.late has no hook; @late.on_expire"):

        class Card(vu.Device):
            pci = vu.Pci(vendor=0x1234, device=0x0003)
            late = vu.Timer()

    timer = vu.Timer()
    timer.on_expire(lambda device: None)
    with pytest.raises(vu.DeclarationError, match="the timer has a hook on_expire already"):
        timer.on_expire(lambda device: None)
    with pytest.raises(vu.DeclarationError, match="Timer: count is 0"):
        vu.Timer(count=0)


def test_a_hook_with_the_name_of_its_timer():
    with pytest.raises(vu.DeclarationError, match="Card.late is a hook with the name of its timer"):

        class Card(vu.Device):
            pci = vu.Pci(vendor=0x1234, device=0x0003)
            late = vu.Timer()

            @late.on_expire
            def late(self):
                pass
