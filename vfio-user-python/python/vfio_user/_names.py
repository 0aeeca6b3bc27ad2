"""Registers by their names, from a description of a device."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, Union

from ._region import CONFIG, Region, _Bus
from .register import Bits, Field, bits_type
from .device import Device
from .errors import Error

#: A device class, the path of a file with ``--describe=json``, or its text as a mapping.
Description = Union[type[Device], str, "os.PathLike[str]", Mapping[str, Any]]


class Register:
    """A register of a device that is driven from outside: each access is one on the bus."""

    def __init__(self, bus: _Bus, region: int, entry: Mapping[str, Any], base: int = 0) -> None:
        self._region = Region(bus, region)
        self.name: str = entry["name"]
        self.offset = base + int(entry["offset"], 16)
        self.size: int = entry["bytes"]
        self.count: int = entry["count"]
        self.stride = int(entry["stride"], 16)
        self.big_endian: bool = entry["big_endian"]
        fields = {field["name"]: _field(field) for field in entry["fields"]}
        self._type = bits_type("Bits", fields)

    def read(self, element: int = 0) -> Bits:
        """Returns the value of the register, or of an element of an array."""
        return self._type.from_bytes(
            self._region.read(self._place(element), self.size), self._order()
        )

    def write(self, value: int, element: int = 0) -> None:
        """Writes the register, or an element of an array."""
        if not 0 <= int(value) < 1 << self.size * 8:
            raise ValueError(f"{self.name} has {self.size * 8} bits; {value!r} does not fit")
        data = int(value).to_bytes(self.size, self._order())
        self._region.write(self._place(element), data)

    def _order(self) -> Any:
        return "big" if self.big_endian else "little"

    def _place(self, element: int) -> int:
        if not 0 <= element < self.count:
            raise IndexError(f"{self.name}[{element}]; it has {self.count} elements")
        return self.offset + element * self.stride

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, element: int) -> Bits:
        return self.read(element)

    def __setitem__(self, element: int, value: int) -> None:
        self.write(value, element)


class Names:
    """Registers and blocks as attributes and by name: ``reg.status``, ``reg["status"]``."""

    #: A register, a block, or the elements of an array of blocks.
    _known: dict[str, Register | Names | tuple[Names, ...]]

    def __init__(self) -> None:
        self.__dict__["_known"] = {}

    def _add(self, bus: _Bus, region: int, base: int, entry: Mapping[str, Any]) -> None:
        """Adds the registers and blocks of an entry of a description, which starts at ``base``."""
        for register in entry["registers"]:
            self._known[register["name"]] = Register(bus, region, register, base)
        for block in entry.get("blocks", []):
            self._known[block["name"]] = _block(bus, region, base, block)

    def __getitem__(self, name: str) -> Any:
        try:
            return self._known[name]
        except KeyError:
            raise KeyError(self._unknown(name)) from None

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in self._known:
            raise AttributeError(self._unknown(name))
        known = self._known[name]
        return known.read() if isinstance(known, Register) and known.count == 1 else known

    def __setattr__(self, name: str, value: int) -> None:
        if name not in self._known:
            raise AttributeError(self._unknown(name))
        known = self._known[name]
        if not isinstance(known, Register):
            raise AttributeError(f"{name} is a block; set its registers")
        if known.count > 1:
            raise AttributeError(f"{name} is an array; set {name}[i]")
        known.write(value)

    def _unknown(self, name: str) -> str:
        known = ", ".join(self._known) or "none, as the device has no description"
        return f"{name!r} is no register; these are: {known}"


class Registers(Names):
    """The registers of a device."""

    def __init__(self, bus: _Bus, description: Description | None) -> None:
        super().__init__()
        document = _load(description)
        for bar in document.get("bars", []):
            self._add(bus, bar["index"], 0, bar)
        self._add(bus, CONFIG, 0, document.get("config", {"registers": []}))


def _block(
    bus: _Bus, region: int, base: int, entry: Mapping[str, Any]
) -> Names | tuple[Names, ...]:
    """Returns a block, or the elements of an array.

    Elements that a register selects share one place: the name stands for the selected one.
    """
    is_selected = entry["selected_by"] is not None
    elements = []
    for element in range(1 if is_selected else entry["count"]):
        names = Names()
        place = base + int(entry["offset"], 16) + element * int(entry["stride"], 16)
        names._add(bus, region, place, entry)
        elements.append(names)
    return elements[0] if is_selected or entry["count"] == 1 else tuple(elements)


def _field(entry: Mapping[str, Any]) -> Field:
    low, high = entry["first"], entry["last"]
    return Field(low, high - low + 1)


def _load(description: Description | None) -> Mapping[str, Any]:
    if description is None:
        return {}
    if isinstance(description, Mapping):
        return description
    if isinstance(description, type):
        document: Mapping[str, Any] = json.loads(description.describe("json"))
        return document
    with open(description, encoding="utf-8") as file:
        loaded = json.load(file)
    if not isinstance(loaded, dict) or loaded.get("version") != 1:
        raise Error(f"{os.fspath(description)} is no description; --describe=json prints one")
    return loaded
