"""What a device or a block declares, with names resolved to indices."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _hooks
from .capability import Capability
from .errors import DeclarationError
from .function import Bar, Irqs
from .memory import MemoryRange
from .register import Intr, Reg, Window
from .state import State
from .timer import Timer

if TYPE_CHECKING:
    from .block import Blocks

Hook = Callable[..., Any]

#: A register by its index, and a field of it by its name, or an empty one.
Place = tuple[int, str]


class Interrupt(NamedTuple):
    """A composed interrupt, with the indices of its registers."""

    enable: int | None
    mask: int | None
    level: bool
    vector: int


class BoundWindow(NamedTuple):
    """A window, with the registers by which it goes."""

    at: Place
    bar: int | None
    bar_bits: Place | None
    len: Place | None
    step: int


class Register:
    """A register with its hooks, and with what refers to other registers."""

    def __init__(self, cls: type, register: Reg) -> None:
        self.register = register
        self.hooks = [
            (kind, _hooks.resolve(cls, hook)) for kind, hook in register.hooks.items()
        ]
        self.lock: tuple[Place, bool] | None = None
        self.interrupt: Interrupt | None = None
        self.window: BoundWindow | None = None
        self.sets: int | None = None
        self.clears: int | None = None


class Hooked:
    """A timer and its hook."""

    def __init__(self, timer: Timer[Any], hook: Hook) -> None:
        self.timer = timer
        self.hook = hook


class Memory:
    """A memory and its hook for writes."""

    def __init__(self, cls: type, memory: MemoryRange) -> None:
        self.range = memory
        hook = memory.hooks.get("on_write")
        self.hook = None if hook is None else _hooks.resolve(cls, hook)


class Contents:
    """The registers, private state, timers and blocks of a class, in the order of declaration."""

    def __init__(self, cls: type, members: dict[str, Any]) -> None:
        registers = [member for member in members.values() if isinstance(member, Reg)]
        timers = [member for member in members.values() if isinstance(member, Timer)]
        self.private = [member for member in members.values() if isinstance(member, State)]
        self.timers = [Hooked(timer, _timer_hook(cls, timer)) for timer in timers]
        self.blocks = [member for member in members.values() if is_blocks(member)]
        self.registers = _registers(cls, registers)
        self.slots = _slots((register.name, register.count) for register in registers)
        self.values = _slots((state.name, 1) for state in self.private)
        self.timer_slots = _slots((timer.name, timer.count) for timer in timers)


def is_blocks(member: Any) -> bool:
    """Whether an attribute of a class declares blocks."""
    from .block import Blocks

    return isinstance(member, Blocks)


def members_of(
    cls: type, kind: str, reserved: Iterable[str], methods: Iterable[str] = ()
) -> dict[str, Any]:
    """Returns the attributes of a class and its bases, the first base first.

    The class is a ``kind``, for messages. No declaration and no hook has one of the ``reserved`` names, and no hook that of one of the
    ``methods``, which the runtime calls.
    """
    members: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        members.update(base.__dict__)
    for name, member in members.items():
        declared = getattr(member, "__hook_of__", None)
        if declared is not None and not declared.name:
            raise DeclarationError(
                f"{cls.__name__}.{name} is a hook with the name of its {_what(declared)}; "
                "give it another name"
            )
        if declared is not None and name in methods:
            raise DeclarationError(
                f"{cls.__name__}.{name} is a hook of {declared.name}, and the runtime calls a "
                "method of that name; give it another name"
            )
        if isinstance(member, (Reg, State, Timer, MemoryRange)) or is_blocks(member):
            if member.name != name:
                raise DeclarationError(
                    f"{cls.__name__}.{name} is also {member.name!r}; each needs an object of its "
                    "own"
                )
        elif declared is None:
            continue
        if name in reserved:
            raise DeclarationError(
                f"{cls.__name__}.{name} hides an attribute that every {kind} has; "
                "give it another name"
            )
    return members


def memories(cls: type, members: dict[str, Any]) -> list[Memory]:
    """Returns the memories of a device class."""
    return [Memory(cls, member) for member in members.values() if isinstance(member, MemoryRange)]


def _what(declared: Any) -> str:
    return {Reg: "register", Timer: "timer", MemoryRange: "memory"}[type(declared)]


def _slots(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    slots, next_slot = {}, 0
    for name, count in counts:
        slots[name] = next_slot
        next_slot += count
    return slots


def _timer_hook(cls: type, timer: Timer[Any]) -> Hook:
    hook = timer.hooks.get("on_expire")
    if hook is None:
        raise DeclarationError(
            f"{cls.__name__}.{timer.name} has no hook; @{timer.name}.on_expire declares one"
        )
    return _hooks.resolve(cls, hook)


def _registers(cls: type, registers: list[Reg]) -> list[Register]:
    """Returns the registers with the indices of those that they name."""
    resolved = [Register(cls, register) for register in registers]
    names = Names(cls, registers)
    for index, entry in enumerate(resolved):
        own = entry.register
        if own.lock is not None:
            place = names.place(own, "the lock", own.lock.lstrip("!"))
            entry.lock = place, own.lock.startswith("!")
        if own.window is not None:
            entry.window = names.window(own, own.window)
        if own.intr is not None:
            entry.interrupt = names.interrupt(own, own.intr)
            names.effects(own, own.intr, index, resolved)
        elif "status_with" in own.hooks or "on_composed" in own.hooks:
            raise DeclarationError(
                f"{cls.__name__}.{own.name} has a hook of a composed interrupt; it needs intr=Intr(..)"
            )
    return resolved


class Names:
    """The registers of a class by their names."""

    def __init__(self, cls: type, registers: list[Reg]) -> None:
        self._cls = cls
        self._known = {register.name: (index, register) for index, register in enumerate(registers)}

    def index(self, register: Reg, what: str, name: str) -> int:
        """Returns the index of the register that another one names."""
        if name not in self._known:
            known = ", ".join(self._known)
            raise DeclarationError(
                f"{self._cls.__name__}.{register.name}: {what} {name!r} is no register; these are: "
                f"{known}"
            )
        return self._known[name][0]

    def place(self, register: Reg, what: str, path: str) -> Place:
        """Returns the register, or field of a register, that another one names."""
        name, _, field = path.partition(".")
        index = self.index(register, what, name)
        fields = self._known[name][1].fields
        if field and field not in fields:
            known = ", ".join(fields) or "none"
            raise DeclarationError(
                f"{self._cls.__name__}.{register.name}: {what} {field!r} is no field of {name}; "
                f"these are: {known}"
            )
        return index, field

    def window(self, register: Reg, window: Window) -> BoundWindow:
        """Returns a window with the registers by which it goes."""

        def place(what: str, path: int | str | None) -> Place | None:
            return self.place(register, what, path) if isinstance(path, str) else None

        return BoundWindow(
            at=self.place(register, "at", window.at),
            bar=None if isinstance(window.bar, str) else window.bar,
            bar_bits=place("bar", window.bar),
            len=place("len", window.len),
            step=window.step,
        )

    def interrupt(self, register: Reg, intr: Intr) -> Interrupt:
        """Returns a composed interrupt with the indices of its registers."""
        enable = None if intr.enable is None else self.index(register, "enable", intr.enable)
        mask = None if intr.mask is None else self.index(register, "mask", intr.mask)
        return Interrupt(enable, mask, intr.trigger == "level", intr.vector)

    def effects(self, register: Reg, intr: Intr, status: int, resolved: list[Register]) -> None:
        """Notes the status register in those that set and clear its bits."""
        if intr.test is not None:
            resolved[self.index(register, "test", intr.test)].sets = status
        if intr.clear is not None:
            resolved[self.index(register, "clear", intr.clear)].clears = status


def capabilities(cls: type) -> list[Capability]:
    """Returns the capabilities of a device class."""
    declared = getattr(cls, "capabilities", ())
    if isinstance(declared, (list, tuple)) and all(isinstance(one, Capability) for one in declared):
        return list(declared)
    raise DeclarationError(
        f"{cls.__name__}.capabilities is {declared!r}; a list of Capability is accepted"
    )


def refuse(cls: type, members: dict[str, Any]) -> None:
    """Refuses in a block what only a device has."""
    for name, member in members.items():
        if isinstance(member, (Bar, Irqs, MemoryRange)):
            raise DeclarationError(
                f"{cls.__name__}.{name} is a {type(member).__name__}, which a device declares; "
                "a block has Reg, State, Timer and Blocks"
            )
