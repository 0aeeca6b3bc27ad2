"""The function: its identity, BARs and interrupts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, overload

from . import _check
from .errors import DeclarationError
from .memory import SharedMemory

if TYPE_CHECKING:
    from typing_extensions import Self

    from .device import Device


class Pci:
    """The identity of the function: the attribute ``pci`` of a device class."""

    def __init__(
        self,
        vendor: int,
        device: int,
        class_code: int = 0xFF0000,
        *,
        revision: int = 0,
        subsystem_vendor: int = 0,
        subsystem: int = 0,
    ) -> None:
        self.vendor = _check.integer("pci: vendor", vendor, 16)
        self.device = _check.integer("pci: device", device, 16)
        self.class_code = _check.integer("pci: class_code", class_code, 24)
        self.revision = _check.integer("pci: revision", revision, 8)
        self.subsystem_vendor = _check.integer("pci: subsystem_vendor", subsystem_vendor, 16)
        self.subsystem = _check.integer("pci: subsystem", subsystem, 16)


class Bar:
    """A base address register: ``mem32``, ``mem64`` or ``io``, of ``size`` bytes.

    ``shared`` is memory that clients may map: ``True`` for all of it, or pairs of the first byte
    and the end of areas. The device has it as its attribute, a :class:`SharedMemory`.
    """

    def __init__(
        self,
        index: int,
        kind: str = "mem32",
        *,
        size: int,
        prefetchable: bool = False,
        unmapped: str = "zero",
        unaligned: str = "split",
        sizes: tuple[int, int] = (1, 8),
        shared: bool | Iterable[tuple[int, int]] = False,
        mirror: int | None = None,
        big: bool = False,
    ) -> None:
        self.index: int = _check.choice("Bar: the index", index, range(6))
        name = f"BAR {index}"
        self.kind: str = _check.choice(f"{name}: the kind", kind, ("mem32", "mem64", "io"))
        self.size = _check.integer(f"{name}: size", size, 64)
        self.prefetchable = bool(prefetchable)
        self.unmapped: str = _check.choice(
            f"{name}: unmapped", unmapped, ("zero", "ones", "refuse")
        )
        self.unaligned: str = _check.choice(f"{name}: unaligned", unaligned, ("split", "ignore"))
        if not isinstance(sizes, tuple) or len(sizes) != 2:
            raise DeclarationError(
                f"{name}: sizes is {sizes!r}; a pair of the smallest and largest is accepted"
            )
        self.sizes: tuple[int, int] = (
            _check.choice(f"{name}: the smallest of sizes", sizes[0], (1, 2, 4, 8)),
            _check.choice(f"{name}: the largest of sizes", sizes[1], (1, 2, 4, 8)),
        )
        if isinstance(shared, bool):
            shared = [(0, self.size)] if shared else []
        self.areas: list[tuple[int, int]] = [_area(name, area) for area in shared]
        self.mirror = (
            None if mirror is None else _check.choice(f"{name}: mirror", mirror, range(6))
        )
        self.big = bool(big)

    @overload
    def __get__(self, device: None, owner: type) -> Self: ...
    @overload
    def __get__(self, device: Device, owner: type) -> SharedMemory: ...
    def __get__(self, device: Device | None, owner: type) -> Self | SharedMemory:
        return self if device is None else SharedMemory(device._core, self.index)

    def __set__(self, device: Device, value: Any) -> None:
        raise AttributeError(f"BAR {self.index} cannot be replaced; its memory has write()")


def _area(name: str, area: Any) -> tuple[int, int]:
    if not isinstance(area, tuple) or len(area) != 2:
        raise DeclarationError(
            f"{name}: an area of shared is {area!r}; a pair of the first byte and the end is "
            "accepted"
        )
    start, end = (_check.integer(f"{name}: an end of shared", place, 64) for place in area)
    return start, end


class Irq:
    """An interrupt of a device, for its hooks."""

    def __init__(self, device: Device, number: int) -> None:
        self._core = device._core
        self._number = number

    def raise_(self) -> None:
        """Sends the message once; with INTx, pulses the line."""
        self._core.raise_irq(self._number)

    def set(self, level: bool) -> None:
        """Sets the level: INTx follows it, and messages are sent when it rises."""
        self._core.set_irq(self._number, level)

    def withdraw(self) -> None:
        """Withdraws a message that is still pending."""
        self._core.withdraw_irq(self._number)


class BoundIrqs:
    """The interrupts of a device by their numbers."""

    def __init__(self, device: Device, count: int) -> None:
        self._device = device
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> Irq:
        if not 0 <= number < self._count:
            raise IndexError(f"interrupt {number}; the device declares {self._count}")
        return Irq(self._device, number)


class Irqs:
    """The interrupts: an interrupt line, MSI messages, MSI-X messages."""

    def __init__(
        self,
        *,
        intx: bool = False,
        msi: int = 0,
        msix: int = 0,
        msix_bar: int | None = None,
        table: int | None = None,
        pba: int | None = None,
    ) -> None:
        self.intx = bool(intx)
        self.msi: int = _check.choice("Irqs: msi", msi, (0, 1, 2, 4, 8, 16, 32))
        self.msix = _check.integer("Irqs: msix", msix, 12)
        self.msix_bar = (
            None if msix_bar is None else _check.choice("Irqs: msix_bar", msix_bar, range(6))
        )
        self.table = _check.optional("Irqs: table", table, 32)
        self.pba = _check.optional("Irqs: pba", pba, 32)
        if (table is None) != (pba is None):
            raise DeclarationError("Irqs: table and pba are given both or not at all")
        if table is not None and msix_bar is None:
            raise DeclarationError("Irqs: table and pba need msix_bar")

    @property
    def count(self) -> int:
        """The number of interrupts."""
        return max(int(self.intx), self.msi, self.msix)

    @overload
    def __get__(self, device: None, owner: type) -> Self: ...
    @overload
    def __get__(self, device: Device, owner: type) -> BoundIrqs: ...
    def __get__(self, device: Device | None, owner: type) -> Self | BoundIrqs:
        return self if device is None else BoundIrqs(device, self.count)
