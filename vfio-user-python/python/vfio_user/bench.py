"""A device without a socket, for its tests."""

from __future__ import annotations

from typing import Any

from . import _native
from ._names import Registers
from ._region import CONFIG, Bars, Region
from .device import Device


class Bench:
    """A device on a bench: accesses take the same path as on a server.

    An exception in a hook is raised by the access that called it. Interrupts arrive in the first of
    MSI-X, MSI and INTx that the device declares, and 1 MiB of memory is mapped at IOVA 0.
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self._bench = _native.Bench(device)
        self.bar = Bars(self._bench)
        self.config = Region(self._bench, CONFIG)
        self.reg: Any = Registers(self._bench, type(device))

    def peek(self, name: str) -> int:
        """Returns a register or a field by name, without hooks: ``ring[3]``, ``ctrl.mode``."""
        return self._bench.peek(name)

    def poke(self, name: str, value: int) -> None:
        """Sets a register or a field by name, without hooks."""
        self._bench.poke(name, value)

    def reset(self, kind: str = "device") -> None:
        """Resets the device, as its client does; ``function`` resets it as its guest does."""
        self._bench.reset(kind)

    def take_irq(self, number: int = 0) -> int:
        """Returns how often an interrupt was sent since the last call."""
        return self._bench.take_irq(number)

    def wait_irq(self, number: int = 0, timeout: float = 5.0) -> int:
        """Handles events until an interrupt is sent."""
        return self._bench.wait_irq(number, timeout)

    def handle_events(self) -> None:
        """Runs the calls that were posted."""
        self._bench.handle_events()

    def advance(self, seconds: float) -> None:
        """Lets time pass for the device."""
        self._bench.advance(seconds)

    def read_memory(self, iova: int, length: int) -> bytes:
        """Returns bytes of the memory that the device accesses."""
        return self._bench.read_memory(iova, length)

    def write_memory(self, iova: int, data: bytes) -> None:
        """Writes bytes of that memory."""
        self._bench.write_memory(iova, data)

    def save(self) -> bytes:
        """Returns the state, as a migration carries it."""
        return self._bench.save()

    def load(self, state: bytes) -> None:
        """Loads a state; a :class:`StateError` leaves the device unchanged."""
        self._bench.load(state)
