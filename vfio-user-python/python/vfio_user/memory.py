"""Memory in BARs: plain bytes of the device, and memory that clients map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from . import _check, _hooks, _native
from ._region import Region
from .register import Hook

if TYPE_CHECKING:
    from typing_extensions import Self

    from .device import Device


class BoundMemory:
    """The bytes of a memory, for the hooks of its device: ``memory[4]``, ``memory[0:4] = data``."""

    def __init__(self, device: Device, place: int, size: int) -> None:
        self._core = device._core
        self._place = place
        self._size = size

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> bytes: ...
    def __getitem__(self, index: int | slice) -> int | bytes:
        data = self._core.read_memory(self._place, *self._range(index))
        return data if isinstance(index, slice) else data[0]

    @overload
    def __setitem__(self, index: int, value: int) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: bytes | bytearray | memoryview) -> None: ...
    def __setitem__(self, index: int | slice, value: Any) -> None:
        # `bytes` of an integer would be as many zeros.
        data = bytes(memoryview(value)) if isinstance(index, slice) else bytes([value])
        self._core.write_memory(self._place, *self._range(index), data)

    def __bytes__(self) -> bytes:
        return self[:]

    def _range(self, index: int | slice) -> tuple[int, int]:
        if not isinstance(index, slice):
            if not -self._size <= index < self._size:
                raise IndexError(f"byte {index}; the memory has {self._size:#x} bytes")
            start = index % self._size
            return start, start + 1
        start, stop, step = index.indices(self._size)
        if step != 1:
            raise ValueError(f"the step is {step}; adjacent bytes are accepted")
        return start, max(start, stop)


class MemoryRange:
    """Bytes ``start`` to ``end`` of a BAR, which clients read and write without mapping them.

    A reset restores what the device was constructed with; with ``reset="zero"`` it clears the
    memory, with ``reset="keep"`` it changes nothing. The bytes migrate.
    """

    def __init__(
        self,
        start: int,
        end: int,
        *,
        bar: int | None = None,
        reset: str | None = None,
        doc: str = "",
    ) -> None:
        self.name = ""
        self.start = _check.integer("MemoryRange: start", start, 64)
        self.end = _check.integer("MemoryRange: end", end, 64)
        self.bar = None if bar is None else _check.choice("MemoryRange: bar", bar, range(6))
        self.reset = (
            None if reset is None else _check.choice("MemoryRange: reset", reset, ("zero", "keep"))
        )
        self.doc = str(doc)
        self.hooks: _hooks.Hooks = {}

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.name or name

    @overload
    def __get__(self, device: None, cls: type) -> Self: ...
    @overload
    def __get__(self, device: Device, cls: type) -> BoundMemory: ...
    def __get__(self, device: Device | None, cls: type) -> Self | BoundMemory:
        if device is None:
            return self
        return BoundMemory(device, device._memories[self.name], self.end - self.start)

    def __set__(self, device: Device, value: Any) -> None:
        raise AttributeError(f"{self.name} is a memory; set {self.name}[:]")

    def on_write(self, hook: Hook) -> Hook:
        """Decorates the hook that runs after a write of a client: ``hook(self, start, stop)``."""
        _hooks.add(self.hooks, "on_write", hook, self, "the memory")
        return hook


class _SharedBus:
    def __init__(self, core: _native.Core) -> None:
        self._core = core

    def read(self, region: int, offset: int, length: int) -> bytes:
        return self._core.read_shared(region, offset, length)

    def write(self, region: int, offset: int, data: bytes) -> None:
        self._core.write_shared(region, offset, data)


class SharedMemory(Region):
    """The memory of a BAR that clients map. Every thread may use it while the device is served.

    It starts as zeros, and no reset changes it. Words are accessed as a whole.
    """

    def __init__(self, core: _native.Core, index: int) -> None:
        super().__init__(_SharedBus(core), index)
        self._core = core

    def clear(self) -> None:
        """Fills all of it with zeros."""
        self._core.clear_shared(self.index)
