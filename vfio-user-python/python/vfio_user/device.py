"""The base class of devices."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from . import _native
from .declare import Bar, Irqs, Pci, Reg, State
from .errors import DeclarationError, Error
from .server import Server

#: The methods that the runtime calls if a class has them.
METHODS = (
    "start reset connected disconnected quiesce resume saving saved loaded irqs_changed "
    "dma_mapped dma_unmapped command_changed"
).split()


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


class Device:
    """A PCI device: a subclass with the attribute ``pci`` declares one.

    Its attributes are BARs, interrupts, registers and private state; other attributes of an object
    are plain Python and do not migrate. Options of the class: ``name``, by default that of the
    class in lower case; ``migrate=False`` for a device that does not migrate; ``version`` of its
    state.
    """

    pci: ClassVar[Pci]
    _declaration: ClassVar[_native.Declaration | None] = None
    _slots: ClassVar[dict[str, int]] = {}
    _private: ClassVar[dict[str, int]] = {}
    _core: _native.Core

    def __init_subclass__(
        cls, *, name: str | None = None, migrate: bool = True, version: int = 1, **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        if not isinstance(getattr(cls, "pci", None), Pci):
            if "pci" in cls.__dict__:
                raise DeclarationError(f"{cls.__name__}.pci is {cls.pci!r}; a Pci is accepted")
            return
        members = _members(cls)
        registers = [member for member in members.values() if isinstance(member, Reg)]
        private = [member for member in members.values() if isinstance(member, State)]
        irqs = [member for member in members.values() if isinstance(member, Irqs)]
        if len(irqs) > 1:
            raise DeclarationError(f"{cls.__name__} declares Irqs more than once; one is accepted")
        cls._slots = _slots(registers)
        cls._private = {state.name: index for index, state in enumerate(private)}
        try:
            cls._declaration = _native.Declaration(
                name or cls.__name__.lower(),
                (cls.__doc__ or "").strip(),
                cls.pci,
                [member for member in members.values() if isinstance(member, Bar)],
                irqs[0] if irqs else Irqs(),
                [_resolved(cls, reg, registers) for reg in registers],
                private,
                [method for method in METHODS if hasattr(cls, method)],
                migrate,
                version,
            )
        except DeclarationError as error:
            raise DeclarationError(f"{cls.__name__}: {error}") from None

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls._declaration is None:
            raise DeclarationError(f"{cls.__name__} has no attribute `pci`; declare a Pci there")
        device = super().__new__(cls)
        device._core = _native.Core(cls._declaration)
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


def _members(cls: type) -> dict[str, Any]:
    """Returns the attributes of a class and its bases, the first base first."""
    members: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        members.update(base.__dict__)
    for name, member in members.items():
        register = getattr(member, "__register__", None)
        if isinstance(register, Reg) and not register.name:
            raise DeclarationError(
                f"{cls.__name__}.{name} is a hook with the name of its register; "
                "give it another name"
            )
        if isinstance(member, (Reg, State)) and member.name != name:
            raise DeclarationError(
                f"{cls.__name__}.{name} is also {member.name!r}; each needs an object of its own"
            )
    return members


def _slots(registers: list[Reg]) -> dict[str, int]:
    slots, next_slot = {}, 0
    for register in registers:
        slots[register.name] = next_slot
        next_slot += register.count
    return slots


def _resolved(cls: type, register: Reg, registers: list[Reg]) -> tuple[Reg, Any, Any]:
    """Returns a register with its lock, by index, field and sense, and its hooks."""
    hooks = [(kind, register.hook_in(cls, kind)) for kind in register.hooks]
    if register.lock is None:
        return register, None, hooks
    inverted = register.lock.startswith("!")
    name, _, field = register.lock.lstrip("!").partition(".")
    by_name = {reg.name: (index, reg) for index, reg in enumerate(registers)}
    if name not in by_name:
        known = ", ".join(by_name)
        raise DeclarationError(f"{register.name}: the lock {name!r} is no register; these are: {known}")
    index, reg = by_name[name]
    if field and field not in reg.fields:
        known = ", ".join(reg.fields) or "none"
        raise DeclarationError(
            f"{register.name}: the lock {field!r} is no field of {name}; these are: {known}"
        )
    return register, (index, field, inverted), hooks
