"""ACCES PCI-IDIO-16: 16 outputs, 16 isolated inputs, an interrupt when an input changes.

Linux drives it with `gpio-pci-idio-16`. Lines of standard input are the inputs, in hexadecimal;
the outputs are printed whenever they are written.
"""

from __future__ import annotations

import sys
import threading

import vfio_user as vu

PENDING = 1 << 2


class Idio16(vu.Device):
    """ACCES PCI-IDIO-16."""

    pci = vu.Pci(vendor=0x494F, device=0x0DC8, class_code=0xFF0000)
    bar2 = vu.Bar(2, "io", size=0x100)
    irq = vu.Irqs(intx=True)

    outputs = vu.Reg(0x00, bits=8, count=2, stride=4)
    input = vu.Reg(0x01, bits=8, count=2, stride=4, stored=False)
    enable = vu.Reg(0x02, bits=8, stored=False, doc="Reads enable the interrupt, writes disable it.")
    filter = vu.Reg(0x03, bits=8, stored=False)
    status = vu.Reg(0x06, "ro", bits=8)

    enabled = vu.State(False)
    inputs = vu.State(0, "u16", sticky=True)

    @outputs.on_write
    def outputs_written(self, half: int, old: int, new: int) -> None:
        print(f"{self.outputs[1] << 8 | self.outputs[0]:04x}", flush=True)

    @input.read_with
    def read_input(self, half: int) -> int:
        return self.inputs >> 8 * half & 0xFF

    @input.write_with
    def acknowledge(self, half: int, bits: int) -> None:
        if half == 0:
            self.status = 0
            self.irq[0].set(False)

    @enable.read_with
    def enable_irq(self) -> int:
        self.enabled = True
        return 0

    @enable.write_with
    def disable_irq(self, bits: int) -> None:
        self.enabled = False

    def set_inputs(self, inputs: int) -> None:
        """Changes the inputs, as a hook."""
        changed = self.inputs ^ inputs
        self.inputs = inputs
        if self.enabled and changed:
            low, high = changed & 0xFF != 0, changed >> 8 != 0
            self.status = self.status | PENDING | low | high << 1
            self.irq[0].set(True)

    def start(self) -> None:
        """Reads the inputs on a thread of its own."""
        if __name__ == "__main__":
            threading.Thread(target=self.read_lines, daemon=True).start()

    def read_lines(self) -> None:
        """Posts each line as the inputs."""
        for line in sys.stdin:
            self.post(self.set_inputs, int(line, 16))


if __name__ == "__main__":
    Idio16.main()
