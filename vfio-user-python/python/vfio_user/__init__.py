"""PCI devices in Python, served over vfio-user, and a client for testers of devices.

A device is a class::

    import vfio_user as vu

    class Doorbell(vu.Device):
        pci = vu.Pci(vendor=0x1234, device=0xCAFE)
        bar0 = vu.Bar(0, "mem32", size=0x1000)
        irq = vu.Irqs(msix=1)
        rung = vu.Reg(0x00, "w1c")
        bell = vu.Reg(0x04, "wo", stored=False)

        @bell.write_with
        def ring(self, bits):
            self.rung |= bits
            self.irq[0].raise_()

    if __name__ == "__main__":
        Doorbell.main()

A client drives it, or any other device::

    with vu.Client("/run/doorbell.sock", Doorbell) as dev:
        dev.bar[0].write32(4, 1)
        assert dev.rung == 1
"""

from .bench import Bench
from .block import Block, Blocks
from .capability import Capability
from .client import Client, ClientIrq, ClientIrqs, Memory, Migrated
from .device import Device
from .errors import (
    AnswerTimeout,
    DeclarationError,
    DisconnectedError,
    DmaError,
    Error,
    HookError,
    InUseError,
    MigrationError,
    RefusedError,
    SocketError,
    StateError,
)
from .function import Bar, Irq, Irqs, Pci
from .memory import BoundMemory, MemoryRange, SharedMemory
from .register import Bits, Field, Intr, Reg, Window
from .server import Server
from .state import State
from .testing import ConformanceTest, conformance_tests
from .timer import BoundTimer, Timer

__all__ = [
    "AnswerTimeout",
    "Bar",
    "Bench",
    "Bits",
    "Block",
    "Blocks",
    "BoundMemory",
    "BoundTimer",
    "Capability",
    "Client",
    "ClientIrq",
    "ClientIrqs",
    "ConformanceTest",
    "DeclarationError",
    "Device",
    "DisconnectedError",
    "DmaError",
    "Error",
    "Field",
    "HookError",
    "InUseError",
    "Intr",
    "Irq",
    "Irqs",
    "Memory",
    "MemoryRange",
    "Migrated",
    "MigrationError",
    "Pci",
    "RefusedError",
    "Reg",
    "Server",
    "SharedMemory",
    "SocketError",
    "State",
    "StateError",
    "Timer",
    "Window",
    "conformance_tests",
]
