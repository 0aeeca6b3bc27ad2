"""A part of QEMU's teaching device: it computes factorials and raises interrupts."""

from __future__ import annotations

import math

import vfio_user as vu


class Edu(vu.Device):
    """QEMU's teaching device, without its DMA."""

    pci = vu.Pci(vendor=0x1234, device=0x11E8, class_code=0x00FF00, revision=0x10)
    bar0 = vu.Bar(0, "mem32", size=0x100000, sizes=(4, 8), unaligned="ignore")
    irq = vu.Irqs(msi=1)

    id = vu.Reg(0x00, "ro", reset=0x010000ED, stored=False)
    liveness = vu.Reg(0x04, doc="Reads back inverted: the device is alive.")
    factorial = vu.Reg(0x08)
    status = vu.Reg(
        0x20, fields={"computing": vu.Field(0, policy="ro"), "irq_on_fact": vu.Field(7)}
    )
    irq_status = vu.Reg(0x24, "ro")
    irq_raise = vu.Reg(0x60, "wo", stored=False)
    irq_ack = vu.Reg(0x64, "wo", stored=False)

    computed = vu.State(0)

    @liveness.write_with
    def invert(self, bits: int) -> None:
        self.liveness = ~bits & 0xFFFFFFFF

    @factorial.write_with
    def compute(self, number: int) -> None:
        # Beyond 34 the result is a multiple of 2^32.
        self.factorial = math.factorial(min(number, 34)) & 0xFFFFFFFF
        self.computed += 1
        if self.status.irq_on_fact:
            self.interrupt(1)

    @irq_raise.write_with
    def interrupt(self, bits: int) -> None:
        self.irq_status |= bits
        self.irq[0].raise_()

    @irq_ack.write_with
    def acknowledge(self, bits: int) -> None:
        self.irq_status &= ~bits


if __name__ == "__main__":
    Edu.main()
