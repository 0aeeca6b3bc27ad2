"""The base class of devices."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from . import _native
from ._contents import Contents, capabilities, members_of, memories
from ._owner import Owner
from .block import Block, construct
from .capability import Capability
from .errors import DeclarationError, Error
from .function import Bar, Irqs, Pci
from .server import Server

#: The methods that the runtime calls if a class has them.
METHODS = (
    "start reset connected disconnected quiesce resume saving saved loaded irqs_changed "
    "dma_mapped dma_unmapped command_changed"
).split()

#: The names that no register of a device has.
RESERVED = ("dma", "post", "describe", "serve", "main", "pci", "capabilities")


class Dma:
    """The client's memory, for the hooks of a device."""

    def __init__(self, device: Device) -> None:
        self._core = device._core

    def read(self, iova: int, length: int) -> bytes:
        """Returns bytes of the client's memory."""
        return self._core.read_dma(iova, length)

    def write(self, iova: int, data: bytes) -> None:
        """Writes bytes of the client's memory."""
        self._core.write_dma(iova, data)


class Device(Owner):
    """A PCI device: a subclass with the attribute ``pci`` declares one.

    Its attributes are BARs, interrupts, registers, blocks, timers, memories and private state;
    other attributes of an object are plain Python and do not migrate. Options of the class:
    ``name``, by default that of the class in lower case; ``migrate=False`` for a device that does
    not migrate; ``version`` of its state.
    """

    pci: ClassVar[Pci]
    capabilities: ClassVar[Sequence[Capability]] = ()
    _declaration: ClassVar[_native.Declaration | None] = None
    #: The indices of its memories by their names.
    _memories: ClassVar[dict[str, int]] = {}
    #: The elements of each block.
    _elements: list[list[Block]]

    def __init_subclass__(
        cls, *, name: str | None = None, migrate: bool = True, version: int = 1, **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        if not isinstance(getattr(cls, "pci", None), Pci):
            if "pci" in cls.__dict__:
                raise DeclarationError(f"{cls.__name__}.pci is {cls.pci!r}; a Pci is accepted")
            return
        members = members_of(cls, "Device", RESERVED, METHODS)
        irqs = [member for member in members.values() if isinstance(member, Irqs)]
        if len(irqs) > 1:
            raise DeclarationError(f"{cls.__name__} declares Irqs more than once; one is accepted")
        cls._contents = Contents(cls, members)
        ranges = memories(cls, members)
        cls._memories = {memory.range.name: index for index, memory in enumerate(ranges)}
        try:
            cls._declaration = _native.Declaration(
                name or cls.__name__.lower(),
                (cls.__doc__ or "").strip(),
                cls.pci,
                [member for member in members.values() if isinstance(member, Bar)],
                irqs[0] if irqs else Irqs(),
                capabilities(cls),
                cls._contents,
                ranges,
                [method for method in METHODS if callable(getattr(cls, method, None))],
                migrate,
                version,
            )
        except DeclarationError as error:
            raise DeclarationError(f"{cls.__name__}: {error}") from None

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        declaration = _declared(cls)
        device = super().__new__(cls)
        device._core = _native.Core(declaration)
        device._elements = construct(declaration, device)
        return device

    @property
    def dma(self) -> Dma:
        """The client's memory, for hooks."""
        return Dma(self)

    def post(self, call: Callable[..., object], *args: object) -> None:
        """Calls ``call(*args)`` on the device's thread, as a hook. Any thread may post."""
        self._core.post(lambda: call(*args))

    @classmethod
    def describe(cls, format: str = "text") -> str:
        """Describes the device: text, markdown, html, json, svd, c or lspci."""
        return _native.describe(_declared(cls), format)

    @classmethod
    def serve(cls, path: str | os.PathLike[str], *args: Any, **kwargs: Any) -> Server:
        """Serves a device ``cls(*args, **kwargs)`` on a socket, on a thread of its own.

        The result is a context manager, which ends the server.
        """
        return Server(os.fspath(path), _declared(cls), lambda: cls(*args, **kwargs))

    @classmethod
    def main(cls, argv: Sequence[str] | None = None) -> None:
        """Runs a device program, with the command line that all of them have, until SIGTERM."""
        arguments = sys.argv if argv is None else [sys.argv[0], *argv]
        try:
            _native.main(_declared(cls), cls, list(arguments))
        except Error as error:
            sys.exit(f"{os.path.basename(arguments[0])}: {error}")


def _declared(cls: type[Device]) -> _native.Declaration:
    if cls._declaration is None:
        raise DeclarationError(f"{cls.__name__} has no attribute `pci`; declare a Pci there")
    return cls._declaration
