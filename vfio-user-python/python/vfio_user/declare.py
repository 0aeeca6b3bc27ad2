"""What a device class declares: its identity, BARs, interrupts, registers and private state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from . import _check
from .errors import DeclarationError

if TYPE_CHECKING:
    from typing_extensions import Self

    from .device import Device

#: The policies of registers and fields, as in docs/registers.md.
POLICIES = (
    "ro rw rc rs wrc wrs wc ws wsrc wcrs w1c w1s w1t w0c w0s w0t "
    "w1src w1crs w0src w0crs wo woc wos w1 wo1"
).split()

#: The hooks of registers.
HOOKS = ("read_with", "write_with", "on_read", "on_write", "kick", "lock_with")

Hook = TypeVar("Hook", bound=Callable[..., Any])
Value = TypeVar("Value")


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
    """A base address register: ``mem32``, ``mem64`` or ``io``, of ``size`` bytes."""

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
        self.msix = _check.integer("Irqs: msix", msix, 11)
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

    def __init__(self, register: Reg, device: Device) -> None:
        self._register = register
        self._device = device

    def __len__(self) -> int:
        return self._register.count

    def __getitem__(self, element: int) -> Bits:
        return self._register._load(self._device, element)

    def __setitem__(self, element: int, value: int) -> None:
        self._register._store(self._device, element, value)

    def __iter__(self) -> Iterator[Bits]:
        return (self[element] for element in range(len(self)))


class Reg:
    """A register, or an array of them. The options are those of ``#[reg(..)]``.

    ``stored=False`` declares a register without storage, which reads as its hook or ``reset`` says.
    """

    def __init__(
        self,
        offset: int,
        policy: str = "rw",
        *,
        bits: int = 32,
        bar: int | None = None,
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
        self.bar = None if bar is None else _check.choice(f"{where}: bar", bar, range(6))
        self.is_array = count is not None
        self.count: int = _check.integer(f"{where}: count", 1 if count is None else count, 24)
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
        self.ioeventfd = _check.optional(f"{where}: ioeventfd", ioeventfd, bits)
        self.migrate = bool(migrate)
        self.untested = (
            None
            if untested is None
            else _check.choice(f"{where}: untested", untested, ("all", "policies"))
        )
        self.doc = str(doc)
        self.hooks: dict[str, Callable[..., Any]] = {}
        self.owner: type | None = None
        self._type = bits_type("Bits", self.fields)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.name or name
        self.owner = self.owner or owner

    @overload
    def __get__(self, device: None, owner: type) -> Self: ...
    @overload
    def __get__(self, device: Device, owner: type) -> Any: ...
    def __get__(self, device: Device | None, owner: type) -> Self | Any:
        if device is None:
            return self
        return Elements(self, device) if self.is_array else self._load(device, 0)

    def __set__(self, device: Device, value: int) -> None:
        if self.is_array:
            raise AttributeError(f"{self.name} is an array; set {self.name}[i]")
        self._store(device, 0, value)

    def _load(self, device: Device, element: int) -> Bits:
        return self._type(device._core.load(self._slot(device, element)))

    def _store(self, device: Device, element: int, value: int) -> None:
        if not 0 <= int(value) < 1 << self.bits:
            raise ValueError(f"{self.name} has {self.bits} bits; {value!r} does not fit")
        device._core.store(self._slot(device, element), int(value))

    def _slot(self, device: Device, element: int) -> int:
        if not 0 <= element < self.count:
            raise IndexError(f"{self.name}[{element}]; it has {self.count} elements")
        return type(device)._slots[self.name] + element

    def _add(self, kind: str, hook: Hook) -> Hook:
        if kind in self.hooks:
            raise DeclarationError(f"the register at {self.offset:#x} has a hook {kind} already")
        self.hooks[kind] = hook
        # A hook with the name of its register takes its place in the class.
        setattr(hook, "__register__", self)
        return hook

    def hook_in(self, cls: type, kind: str) -> Callable[..., Any]:
        """Returns a hook; a subclass overrides it as it overrides a method."""
        hook = self.hooks[kind]
        name = getattr(hook, "__name__", "")
        if self.owner is None or vars(self.owner).get(name) is not hook:
            return hook
        method: Callable[..., Any] = getattr(cls, name)
        return method

    def read_with(self, hook: Hook) -> Hook:
        """Decorates the hook that computes the value of a read: ``hook(self)``."""
        return self._add("read_with", hook)

    def write_with(self, hook: Hook) -> Hook:
        """Decorates the hook that receives writes in place of the register: ``hook(self, bits)``."""
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


#: The types of private state.
STATE_TYPES = ("bool", "u8", "u16", "u32", "u64", "i64", "str", "bytes", "[u64]")


class State(Generic[Value]):
    """Private state that migrates, and that a reset sets back unless it is ``sticky``.

    The type follows from the initial value: bool, int (``u64``), str, bytes, or a tuple of int.
    """

    def __init__(self, initial: Value, type: str | None = None, *, sticky: bool = False) -> None:
        self.name = ""
        self.initial = initial
        self.type: str = _check.choice("State: type", type or _type_of(initial), STATE_TYPES)
        self.sticky = bool(sticky)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.name or name

    @overload
    def __get__(self, device: None, owner: type) -> Self: ...
    @overload
    def __get__(self, device: Device, owner: type) -> Value: ...
    def __get__(self, device: Device | None, owner: type) -> Self | Value:
        if device is None:
            return self
        value: Value = device._core.private(type(device)._private[self.name])
        return value

    def __set__(self, device: Device, value: Value) -> None:
        device._core.set_private(type(device)._private[self.name], value)


def _type_of(initial: Any) -> str:
    for kind, name in ((bool, "bool"), (int, "u64"), (str, "str"), (bytes, "bytes"), (tuple, "[u64]")):
        if isinstance(initial, kind):
            return name
    raise DeclarationError(
        f"State: the initial value is {initial!r}; a bool, int, str, bytes or tuple is accepted"
    )
