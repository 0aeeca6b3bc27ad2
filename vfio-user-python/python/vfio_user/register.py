"""Registers: their fields, values, hooks and composed interrupts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar, overload

from . import _check, _hooks
from .errors import DeclarationError

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._owner import Owner

#: The policies of registers and fields, as in docs/registers.md.
POLICIES = (
    "ro rw rc rs wrc wrs wc ws wsrc wcrs w1c w1s w1t w0c w0s w0t "
    "w1src w1crs w0src w0crs wo woc wos w1 wo1"
).split()

Hook = TypeVar("Hook", bound=Callable[..., Any])


class Field:
    """Named bits of a register: ``width`` bits from bit ``shift`` on."""

    def __init__(
        self,
        shift: int,
        width: int = 1,
        policy: str | None = None,
        *,
        reset: int | None = None,
        singlepulse: bool = False,
        volatile: bool = False,
        doc: str = "",
    ) -> None:
        self.name = ""
        self.shift: int = _check.choice("Field: shift", shift, range(64))
        self.width: int = _check.choice("Field: width", width, range(1, 65 - shift))
        self.policy = None if policy is None else _check.choice("Field: policy", policy, POLICIES)
        self.reset = _check.optional("Field: reset", reset, width)
        self.singlepulse = bool(singlepulse)
        self.volatile = bool(volatile)
        self.doc = str(doc)


class Bits(int):
    """The value of a register, with the values of its fields as attributes."""

    _fields: dict[str, Field] = {}

    if TYPE_CHECKING:

        def __getattr__(self, field: str) -> int: ...

    def replace(self, **fields: int) -> Bits:
        """Returns the value with other values of these fields."""
        bits = int(self)
        for name, value in fields.items():
            field = self._fields.get(name)
            if field is None:
                known = ", ".join(self._fields) or "none"
                raise AttributeError(f"{name!r} is no field; these are: {known}")
            ones = (1 << field.width) - 1
            if not 0 <= int(value) <= ones:
                raise ValueError(f"{name} has {field.width} bits; {value} does not fit")
            bits = bits & ~(ones << field.shift) | int(value) << field.shift
        return type(self)(bits)

    def __repr__(self) -> str:
        fields = (f"{name}={getattr(self, name):#x}" for name in self._fields)
        inner = ", ".join(fields)
        return f"{int(self):#x}" + (f" ({inner})" if inner else "")

    __str__ = int.__repr__


def bits_type(name: str, fields: dict[str, Field]) -> type[Bits]:
    """Returns the type of the values of a register with these fields."""

    def getter(field: Field) -> property:
        return property(lambda bits: int(bits) >> field.shift & ((1 << field.width) - 1))

    members: dict[str, Any] = {key: getter(field) for key, field in fields.items()}
    return type(name, (Bits,), {**members, "_fields": fields})


class Elements:
    """The elements of an array of registers."""

    def __init__(self, register: Reg, owner: Owner) -> None:
        self._register = register
        self._owner = owner

    def __len__(self) -> int:
        return self._register.count

    def __getitem__(self, element: int) -> Bits:
        return self._register._load(self._owner, element)

    def __setitem__(self, element: int, value: int) -> None:
        self._register._store(self._owner, element, value)

    def __iter__(self) -> Iterator[Bits]:
        return (self[element] for element in range(len(self)))


class Intr:
    """Makes a register the status of an interrupt that the runtime raises, as ``#[intr(..)]``.

    A bit requests the interrupt while it is set in the status, set in the register ``enable`` and
    clear in ``mask``. Ones that are written to ``test`` set bits of the status, those to ``clear``
    clear them. ``trigger`` is ``event`` if software clears the bits, ``level`` if the device does.
    """

    def __init__(
        self,
        *,
        enable: str | None = None,
        mask: str | None = None,
        test: str | None = None,
        clear: str | None = None,
        trigger: str = "event",
        vector: int = 0,
    ) -> None:
        self.enable, self.mask, self.test, self.clear = enable, mask, test, clear
        self.trigger: str = _check.choice("Intr: trigger", trigger, ("event", "level"))
        self.vector = _check.integer("Intr: vector", vector, 11)


class Window:
    """Lets accesses to a register go on to a BAR, at the offset that ``at`` holds.

    ``at``, ``len`` and ``bar`` name registers, ``index`` or ``ctrl.index`` for a field; ``bar`` may
    be a number. ``step`` is added to the offset after each access.
    """

    def __init__(
        self, at: str, *, bar: int | str | None = None, len: str | None = None, step: int = 0
    ) -> None:
        self.at, self.len = at, len
        self.bar = bar
        if not isinstance(bar, str) and bar is not None:
            _check.choice("Window: bar", bar, range(6))
        self.step = _check.integer("Window: step", step, 32)


class Reg:
    """A register, or an array of them. The options are those of ``#[reg(..)]``.

    ``stored=False`` declares a register without storage, which reads as its hook or ``reset`` says.
    ``bar="config"`` places it in configuration space. The hooks of a ``port`` receive bytes.
    """

    def __init__(
        self,
        offset: int,
        policy: str = "rw",
        *,
        bits: int = 32,
        bar: int | str | None = None,
        count: int | None = None,
        stride: int | None = None,
        reset: int | None = None,
        mask: int | None = None,
        writable: int | None = None,
        fields: dict[str, Field] | None = None,
        stored: bool = True,
        lock: str | None = None,
        wide: bool | str = False,
        singlepulse: bool = False,
        sticky: bool = False,
        keep_on_flr: bool = False,
        volatile: bool = False,
        big: bool = False,
        port: bool = False,
        window: Window | None = None,
        intr: Intr | None = None,
        ioeventfd: int | None = None,
        migrate: bool = True,
        untested: str | None = None,
        doc: str = "",
    ) -> None:
        self.name = ""
        where = f"the register at {offset!r}"
        self.offset = _check.integer("the offset of a register", offset, 64)
        self.policy: str = _check.choice(f"{where}: the policy", policy, POLICIES)
        self.bits: int = _check.choice(f"{where}: bits", bits, (8, 16, 32, 64))
        self.bar = _check.bar(f"{where}: bar", bar)
        self.is_array = count is not None
        self.count: int = _check.count(f"{where}: count", count)
        self.stride = _check.optional(f"{where}: stride", stride, 32)
        self.reset = _check.optional(f"{where}: reset", reset, bits)
        self.mask = _check.optional(f"{where}: mask", mask, bits)
        self.writable = _check.optional(f"{where}: writable", writable, bits)
        self.fields = dict(fields or {})
        for name, field in self.fields.items():
            if not isinstance(field, Field):
                raise DeclarationError(f"{where}: {name} is {field!r}; a Field is accepted")
            field.name = name
        self.stored = bool(stored)
        self.lock = lock
        _check.choice(f"{where}: wide", wide, (False, True, "high", "low"))
        self.commit = wide if isinstance(wide, str) else "whole" if wide else ""
        self.singlepulse = bool(singlepulse)
        self.sticky = bool(sticky)
        self.keep_on_flr = bool(keep_on_flr)
        self.volatile = bool(volatile)
        self.big = bool(big)
        self.port = bool(port)
        self.window = _check.instance(f"{where}: window", window, Window)
        self.intr = _check.instance(f"{where}: intr", intr, Intr)
        self.ioeventfd = _check.optional(f"{where}: ioeventfd", ioeventfd, bits)
        self.migrate = bool(migrate)
        self.untested = (
            None
            if untested is None
            else _check.choice(f"{where}: untested", untested, ("all", "policies"))
        )
        self.doc = str(doc)
        self.hooks: dict[str, Callable[..., Any]] = {}
        self._type = bits_type("Bits", self.fields)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.name or name

    @overload
    def __get__(self, owner: None, cls: type) -> Self: ...
    @overload
    def __get__(self, owner: Owner, cls: type) -> Any: ...
    def __get__(self, owner: Owner | None, cls: type) -> Self | Any:
        if owner is None:
            return self
        return Elements(self, owner) if self.is_array else self._load(owner, 0)

    def __set__(self, owner: Owner, value: int) -> None:
        if self.is_array:
            raise AttributeError(f"{self.name} is an array; set {self.name}[i]")
        self._store(owner, 0, value)

    def _load(self, owner: Owner, element: int) -> Bits:
        return self._type(owner._core.load(self._slot(owner, element)))

    def _store(self, owner: Owner, element: int, value: int) -> None:
        if not 0 <= int(value) < 1 << self.bits:
            raise ValueError(f"{self.name} has {self.bits} bits; {value!r} does not fit")
        owner._core.store(self._slot(owner, element), int(value))

    def _slot(self, owner: Owner, element: int) -> int:
        if not 0 <= element < self.count:
            raise IndexError(f"{self.name}[{element}]; it has {self.count} elements")
        return owner._places[0] + owner._contents.slots[self.name] + element

    def _add(self, kind: str, hook: Hook) -> Hook:
        _hooks.add(self.hooks, kind, hook, self, f"the register at {self.offset:#x}")
        return hook

    def read_with(self, hook: Hook) -> Hook:
        """Decorates the hook that computes the value of a read: ``hook(self)``.

        Of a port it returns bytes: ``hook(self, length)``.
        """
        return self._add("read_with", hook)

    def write_with(self, hook: Hook) -> Hook:
        """Decorates the hook that receives writes in place of the register: ``hook(self, bits)``.

        Of a port it receives bytes: ``hook(self, data)``.
        """
        return self._add("write_with", hook)

    def on_read(self, hook: Hook) -> Hook:
        """Decorates the hook that runs after a read: ``hook(self, value)``."""
        return self._add("on_read", hook)

    def on_write(self, hook: Hook) -> Hook:
        """Decorates the hook that runs after a write: ``hook(self, old, new)``."""
        return self._add("on_write", hook)

    def kick(self, hook: Hook) -> Hook:
        """Decorates the hook of a doorbell: ``hook(self)``."""
        return self._add("kick", hook)

    def lock_with(self, hook: Hook) -> Hook:
        """Decorates the hook that returns whether writes are ignored: ``hook(self)``."""
        return self._add("lock_with", hook)

    def status_with(self, hook: Hook) -> Hook:
        """Decorates the hook that computes the status of the register's ``intr``: ``hook(self)``.

        It runs after every access, and reads registers and private state alone.
        """
        return self._add("status_with", hook)

    def on_composed(self, hook: Hook) -> Hook:
        """Decorates the hook for a change of the bits that request the interrupt of ``intr``:
        ``hook(self, bits)``.
        """
        return self._add("on_composed", hook)
