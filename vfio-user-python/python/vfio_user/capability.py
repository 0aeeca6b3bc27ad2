"""Capabilities of configuration space, beside those of interrupts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from . import _check

POWER_STATES = ("d0", "d1", "d2", "d3hot", "d3cold")


@dataclass
class Capability:
    """A capability of the function: an item of the attribute ``capabilities`` of a device class.

    The static methods construct them. ``offset`` places one; without it the next free place is
    used. Clients may write the bits of the data that are set in ``writable``.
    """

    kind: str
    offset: int | None = None
    data: bytes = b""
    writable: bytes = b""
    id: int = 0
    version: int = 0
    vendor_id: int = 0
    number: int = 0
    d1: bool = False
    d2: bool = False
    no_soft_reset: bool = False
    wakes_from: list[str] = field(default_factory=list)
    port: str = "endpoint"
    flr: bool = False
    speed: int | None = None
    width: int | None = None
    payload: int | None = None
    extended_tags: bool = False
    address_32: bool = False
    maskable: bool = False

    def __post_init__(self) -> None:
        self.offset = _check.optional(f"{self.kind}: offset", self.offset, 12)
        self.data, self.writable = bytes(self.data), bytes(self.writable)

    @staticmethod
    def pm(
        *,
        d1: bool = False,
        d2: bool = False,
        no_soft_reset: bool = False,
        wakes_from: Iterable[str] = (),
        offset: int | None = None,
    ) -> Capability:
        """Power management: D0 and D3, and optionally D1 and D2."""
        wakes_from = [_check.choice("pm: wakes_from", state, POWER_STATES) for state in wakes_from]
        return Capability(
            "pm", d1=d1, d2=d2, no_soft_reset=no_soft_reset, wakes_from=wakes_from, offset=offset
        )

    @staticmethod
    def express(
        port: str = "endpoint",
        *,
        flr: bool = False,
        speed: int | None = None,
        width: int | None = None,
        payload: int | None = None,
        extended_tags: bool = False,
        offset: int | None = None,
    ) -> Capability:
        """PCI Express; with ``flr`` guests can reset the function alone."""
        return Capability(
            "express",
            port=_check.choice("express: port", port, ("endpoint", "legacy", "integrated")),
            flr=flr,
            speed=_check.optional("express: speed", speed, 8),
            width=_check.optional("express: width", width, 8),
            payload=_check.optional("express: payload", payload, 16),
            extended_tags=extended_tags,
            offset=offset,
        )

    @staticmethod
    def msi(
        *, maskable: bool = False, address_32: bool = False, offset: int | None = None
    ) -> Capability:
        """The place and the options of MSI, which ``Irqs`` declares."""
        return Capability("msi", maskable=maskable, address_32=address_32, offset=offset)

    @staticmethod
    def msix(*, offset: int | None = None) -> Capability:
        """The place of MSI-X, which ``Irqs`` declares."""
        return Capability("msix", offset=offset)

    @staticmethod
    def vendor(data: bytes, *, writable: bytes = b"", offset: int | None = None) -> Capability:
        """Vendor specific data, behind its length."""
        return Capability("vendor", data=data, writable=writable, offset=offset)

    @staticmethod
    def vpd(data: bytes, *, writable: bytes = b"", offset: int | None = None) -> Capability:
        """Vital product data."""
        return Capability("vpd", data=data, writable=writable, offset=offset)

    @staticmethod
    def subsystem(*, offset: int | None = None) -> Capability:
        """The ids of the subsystem again."""
        return Capability("subsystem", offset=offset)

    @staticmethod
    def custom(
        id: int, data: bytes, *, writable: bytes = b"", offset: int | None = None
    ) -> Capability:
        """A capability with another id."""
        id = _check.integer("custom: id", id, 8)
        return Capability("custom", id=id, data=data, writable=writable, offset=offset)

    @staticmethod
    def serial(number: int, *, offset: int | None = None) -> Capability:
        """The serial number of the device, an EUI-64. It needs PCI Express, as all below do."""
        return Capability(
            "serial", number=_check.integer("serial: number", number, 64), offset=offset
        )

    @staticmethod
    def vsec(
        id: int,
        data: bytes,
        *,
        revision: int = 0,
        writable: bytes = b"",
        offset: int | None = None,
    ) -> Capability:
        """Vendor specific data with an id that the vendor chooses."""
        return Capability(
            "vsec",
            id=_check.integer("vsec: id", id, 16),
            version=_check.integer("vsec: revision", revision, 4),
            data=data,
            writable=writable,
            offset=offset,
        )

    @staticmethod
    def dvsec(
        vendor: int,
        id: int,
        data: bytes,
        *,
        revision: int = 0,
        writable: bytes = b"",
        offset: int | None = None,
    ) -> Capability:
        """Data that another vendor than the function's defines."""
        return Capability(
            "dvsec",
            vendor_id=_check.integer("dvsec: vendor", vendor, 16),
            id=_check.integer("dvsec: id", id, 16),
            version=_check.integer("dvsec: revision", revision, 4),
            data=data,
            writable=writable,
            offset=offset,
        )

    @staticmethod
    def aer(*, offset: int | None = None) -> Capability:
        """Advanced error reporting."""
        return Capability("aer", offset=offset)

    @staticmethod
    def ltr(*, offset: int | None = None) -> Capability:
        """Latency tolerance reporting."""
        return Capability("ltr", offset=offset)

    @staticmethod
    def extended(
        id: int,
        data: bytes,
        *,
        version: int = 1,
        writable: bytes = b"",
        offset: int | None = None,
    ) -> Capability:
        """An extended capability with another id."""
        return Capability(
            "extended",
            id=_check.integer("extended: id", id, 16),
            version=_check.integer("extended: version", version, 4),
            data=data,
            writable=writable,
            offset=offset,
        )
