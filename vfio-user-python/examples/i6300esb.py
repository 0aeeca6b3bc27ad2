"""The watchdog of Intel's 6300ESB hub, which Linux drives with i6300esb.

It has two stages, of which the first can raise an interrupt and the second resets the machine. A
function cannot reset its machine, so the program prints a line instead.
"""

from __future__ import annotations

import vfio_user as vu

#: The keys that open the registers for one write.
KEYS = (0x80, 0x86)
#: The clock of the PCI bus, of which a count is 2^15 or 2^5 cycles.
HERTZ = 33_000_000


class Watchdog(vu.Device):
    pci = vu.Pci(vendor=0x8086, device=0x25AB, class_code=0x088000)
    bar0 = vu.Bar(0, "mem32", size=0x1000)
    irq = vu.Irqs(intx=True)

    preload = vu.Reg(
        0x00,
        count=2,
        reset=0xFFFFF,
        mask=0xFFFFF,
        doc="What each stage counts down from. A write takes effect after the two keys.",
    )
    interrupt = vu.Reg(
        0x08,
        "w1c",
        bits=16,
        mask=1,
        volatile=True,
        intr=vu.Intr(),
        doc="The first stage has expired.",
    )
    reload = vu.Reg(
        0x0C,
        bits=16,
        sticky=True,
        fields={
            "key": vu.Field(0, 8, "wo", doc="Takes a key."),
            "restart": vu.Field(8, policy="wo", doc="Starts the first stage again."),
            "expired": vu.Field(
                9,
                policy="w1c",
                volatile=True,
                doc="The second stage has expired since this was cleared.",
            ),
        },
    )
    config = vu.Reg(
        0x60,
        bits=16,
        bar="config",
        fields={
            "interrupt": vu.Field(0, 2),
            "fast": vu.Field(2, doc="Counts in 1 µs instead of 1 ms."),
            "reset_disabled": vu.Field(5),
        },
    )
    lock = vu.Reg(
        0x68,
        bits=8,
        bar="config",
        lock="lock.locked",
        fields={
            "locked": vu.Field(0, doc="Nothing changes this register until a reset."),
            "enabled": vu.Field(1),
            "free_running": vu.Field(
                2, doc="The stages start again when the second one has expired."
            ),
        },
    )
    timer = vu.Timer()
    is_second = vu.State(False)
    keys = vu.State(0, "u8")

    @preload.lock_with
    def takes_no_write(self, stage: int) -> bool:
        keys, self.keys = self.keys, 0
        return keys != len(KEYS)

    @reload.write_with
    def write_reload(self, bits: int) -> None:
        if self.keys < len(KEYS) and bits & 0xFF == KEYS[self.keys]:
            self.keys += 1
        elif not self.takes_no_write(0):
            self.reload &= ~(bits & 0x200)
            if bits & 0x100:
                self.count(False)

    @lock.on_write
    def enable(self, old: int, new: int) -> None:
        if (old ^ new) & 2:
            self.count(False)

    def count(self, is_second: bool) -> None:
        """Starts a stage, if the watchdog is enabled."""
        self.is_second = is_second
        self.timer.cancel()
        if self.lock.enabled:
            cycles = self.preload[is_second] << (5 if self.config.fast else 15)
            self.timer.arm(cycles / HERTZ)

    @timer.on_expire
    def expired(self) -> None:
        if not self.is_second:
            self.interrupt |= self.config.interrupt == 0
            return self.count(True)
        self.reload |= 0x200
        if not self.config.reset_disabled:
            print("the watchdog has expired: reset the machine", flush=True)
        elif self.lock.free_running:
            self.count(False)


if __name__ == "__main__":
    Watchdog.main()
