"""The ACCES PCI-IDIO-16, on a bench and by the generated tests."""

import pytest
import vfio_user as vu
from idio16 import Idio16


@pytest.mark.parametrize("test", vu.conformance_tests(Idio16))
def test_conformance(test):
    test()


def test_inputs_interrupt_once_they_are_enabled():
    bench = vu.Bench(Idio16())
    device = bench.device
    device.post(device.set_inputs, 0x0001)
    bench.handle_events()
    assert bench.take_irq() == 0
    assert bench.reg.enable == 0
    device.post(device.set_inputs, 0x8001)
    bench.handle_events()
    assert bench.take_irq() == 1
    assert (bench.reg.input[0], bench.reg.input[1], bench.reg.status) == (1, 0x80, 6)
    bench.reg.input[0] = 0
    assert bench.reg.status == 0
