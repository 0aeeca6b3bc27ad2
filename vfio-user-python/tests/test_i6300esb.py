"""The watchdog: a timer, a composed interrupt, and registers of configuration space."""

import json
import subprocess

import pytest
import vfio_user as vu
from conftest import PATIENCE, ROOT
from i6300esb import Watchdog


@pytest.mark.parametrize("test", vu.conformance_tests(Watchdog))
def test_conformance(test):
    test()


def unlock(bench):
    for key in (0x80, 0x86):
        bench.reg.reload = key


def started(preload=1):
    """Returns a bench on which the first stage counts, in 32 cycles of the bus each."""
    bench = vu.Bench(Watchdog())
    for stage in range(2):
        unlock(bench)
        bench.reg.preload[stage] = preload
    bench.config.write16(0x60, 4)
    bench.config.write8(0x68, 2)
    return bench


def test_the_description_is_that_of_the_device_in_rust():
    program = ROOT / "target" / "debug" / "i6300esb"
    described = subprocess.run(
        [program, "--describe=json"], capture_output=True, check=True, timeout=PATIENCE
    )
    expected = json.loads(described.stdout)
    # Python has no types of fields, which have names for values.
    expected["config"]["registers"][0]["fields"][0]["values"] = []
    assert json.loads(Watchdog.describe("json")) == expected


def test_the_registers_need_their_keys():
    bench = vu.Bench(Watchdog())
    bench.reg.preload[0] = 5
    assert bench.reg.preload[0] == 0xFFFFF
    unlock(bench)
    bench.reg.preload[0] = 5
    assert bench.reg.preload[0] == 5


def test_the_stages_expire_one_after_the_other(capfd):
    bench = started(preload=33_000_000 // 32)
    bench.advance(0.999)
    assert (bench.reg.interrupt, bench.take_irq()) == (0, 0)
    bench.advance(0.002)
    assert (bench.reg.interrupt, bench.take_irq()) == (1, 1)
    bench.reg.interrupt = 1
    assert bench.reg.interrupt == 0
    bench.advance(1)
    assert bench.reg.reload.expired == 1
    assert "reset the machine" in capfd.readouterr().out


def test_the_locked_register_stays_as_it_is():
    bench = vu.Bench(Watchdog())
    bench.config.write8(0x68, 1)
    bench.config.write8(0x68, 2)
    assert bench.reg.lock == 1
    bench.reset()
    assert bench.reg.lock == 0


def test_the_remaining_time_migrates():
    source, target = started(preload=33_000_000 // 32), vu.Bench(Watchdog())
    source.advance(0.6)
    target.load(source.save())
    target.advance(0.3)
    assert target.reg.interrupt == 0
    target.advance(0.2)
    assert (target.reg.interrupt, target.take_irq()) == (1, 1)


def test_over_a_socket(socket):
    with Watchdog.serve(socket), vu.Client(socket, Watchdog) as dev:
        dev.enable_irqs()
        for key in (0x80, 0x86):
            dev.reload = key
        dev.preload[0] = 1
        dev.reg.lock = 2
        assert dev.irq[0].wait(PATIENCE) == 1
        assert dev.interrupt == 1
        assert dev.reg["lock"][0].enabled == 1
