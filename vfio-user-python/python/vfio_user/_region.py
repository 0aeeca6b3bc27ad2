"""Access to a region by words and bytes."""

from __future__ import annotations

from typing import Protocol

#: The index of configuration space among the regions.
CONFIG = 7


class _Bus(Protocol):
    def read(self, region: int, offset: int, length: int) -> bytes: ...
    def write(self, region: int, offset: int, data: bytes) -> None: ...


class Region:
    """A BAR, or configuration space: words are little-endian, and each is one access."""

    def __init__(self, bus: _Bus, index: int) -> None:
        self._bus = bus
        self.index = index

    def read(self, offset: int, length: int) -> bytes:
        """Returns bytes."""
        return self._bus.read(self.index, offset, length)

    def write(self, offset: int, data: bytes) -> None:
        """Writes bytes."""
        self._bus.write(self.index, offset, data)

    def read_word(self, offset: int, size: int) -> int:
        """Returns a word of 1, 2, 4 or 8 bytes."""
        return int.from_bytes(self.read(offset, size), "little")

    def write_word(self, offset: int, size: int, value: int) -> None:
        """Writes a word of 1, 2, 4 or 8 bytes."""
        if not 0 <= value < 1 << size * 8:
            raise ValueError(f"{value:#x} does not fit in {size * 8} bits")
        self.write(offset, int(value).to_bytes(size, "little"))

    def read8(self, offset: int) -> int:
        """Returns a byte."""
        return self.read_word(offset, 1)

    def read16(self, offset: int) -> int:
        """Returns a word of 16 bits."""
        return self.read_word(offset, 2)

    def read32(self, offset: int) -> int:
        """Returns a word of 32 bits."""
        return self.read_word(offset, 4)

    def read64(self, offset: int) -> int:
        """Returns a word of 64 bits."""
        return self.read_word(offset, 8)

    def write8(self, offset: int, value: int) -> None:
        """Writes a byte."""
        self.write_word(offset, 1, value)

    def write16(self, offset: int, value: int) -> None:
        """Writes a word of 16 bits."""
        self.write_word(offset, 2, value)

    def write32(self, offset: int, value: int) -> None:
        """Writes a word of 32 bits."""
        self.write_word(offset, 4, value)

    def write64(self, offset: int, value: int) -> None:
        """Writes a word of 64 bits."""
        self.write_word(offset, 8, value)


class Bars:
    """The BARs by their indices."""

    def __init__(self, bus: _Bus) -> None:
        self._bus = bus

    def __getitem__(self, index: int) -> Region:
        if not 0 <= index < 6:
            raise IndexError(f"BAR {index}; BARs are 0 to 5")
        return Region(self._bus, index)
