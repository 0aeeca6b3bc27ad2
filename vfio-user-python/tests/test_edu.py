"""The teaching device, on a bench and by the generated tests."""

import json

import pytest
import vfio_user as vu
from edu import Edu


@pytest.mark.parametrize("test", vu.conformance_tests(Edu))
def test_conformance(test):
    test()


def test_registers_and_hooks():
    bench = vu.Bench(Edu())
    assert bench.bar[0].read32(0) == 0x010000ED
    bench.bar[0].write32(4, 0x12)
    assert bench.reg.liveness == 0xFFFFFFED == bench.device.liveness
    bench.reg.factorial = 5
    assert (bench.reg.factorial, bench.device.computed, bench.take_irq()) == (120, 1, 0)


def test_fields_and_interrupts():
    bench = vu.Bench(Edu())
    bench.reg.status = 0xFFFFFFFF
    assert bench.reg.status == 0x80 and bench.reg.status.irq_on_fact == 1
    assert repr(bench.device.status) == "0x80 (computing=0x0, irq_on_fact=0x1)"
    bench.reg.factorial = 3
    assert bench.take_irq() == 1
    assert bench.reg.irq_status == 1
    bench.reg.irq_ack = 1
    assert bench.peek("irq_status") == 0
    bench.device.status = bench.device.status.replace(irq_on_fact=0, computing=1)
    assert bench.reg.status == 1


def test_a_reset_restores_registers_and_state():
    bench = vu.Bench(Edu())
    bench.reg.factorial = 3
    bench.reset()
    assert (bench.reg.factorial, bench.device.computed) == (0, 0)


def test_state_moves_to_another_device():
    source, target = vu.Bench(Edu()), vu.Bench(Edu())
    source.reg.factorial = 4
    state = source.save()
    target.load(state)
    assert (target.reg.factorial, target.device.computed) == (24, 1)
    with pytest.raises(vu.StateError):
        target.load(state[:-1])
    assert target.device.computed == 1


def test_descriptions_have_the_names():
    assert "factorial" in Edu.describe()
    described = json.loads(Edu.describe("json"))
    assert described["name"] == "edu"
    assert described["ids"]["device"] == 0x11E8
    names = [register["name"] for register in described["bars"][0]["registers"]]
    assert names[:3] == ["id", "liveness", "factorial"]
    with pytest.raises(ValueError, match="markdown"):
        Edu.describe("pdf")
