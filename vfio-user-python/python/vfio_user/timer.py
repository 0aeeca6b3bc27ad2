"""Timers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from . import _check, _hooks
from .register import Hook

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._owner import Owner

Bound = TypeVar("Bound")


class BoundTimer:
    """A timer of a device or of an element of a block, for its hooks. Times are in seconds."""

    def __init__(self, owner: Owner, place: int) -> None:
        self._core = owner._core
        self._place = place

    def arm(self, after: float) -> None:
        """Lets the timer expire once, and replaces an earlier time."""
        self._core.arm_timer(self._place, after)

    def arm_every(self, period: float, first: float | None = None) -> None:
        """Lets the timer expire every period, for the first time after ``first`` or a period."""
        self._core.arm_timer_every(self._place, period if first is None else first, period)

    def arm_again(self, period: float) -> None:
        """Lets the timer expire once, a period after it last did: periods do not drift."""
        self._core.arm_timer_again(self._place, period)

    def cancel(self) -> None:
        """Disarms the timer."""
        self._core.cancel_timer(self._place)

    @property
    def is_armed(self) -> bool:
        """Whether the timer is armed; in its own hook, only a periodic one is."""
        return self.remaining is not None

    @property
    def remaining(self) -> float | None:
        """The time until it expires; ``None`` if it is not armed."""
        return self._core.remaining(self._place)

    @property
    def missed(self) -> int:
        """How many periods the last call of the hook stands for besides one."""
        return self._core.missed(self._place)


class Timer(Generic[Bound]):
    """A timer, or ``count`` of them. A reset disarms it; its time and period migrate."""

    @overload
    def __init__(self: Timer[BoundTimer], *, count: None = None, doc: str = "") -> None: ...
    @overload
    def __init__(self: Timer[tuple[BoundTimer, ...]], *, count: int, doc: str = "") -> None: ...
    def __init__(self, *, count: int | None = None, doc: str = "") -> None:
        self.name = ""
        self.is_array = count is not None
        self.count: int = _check.count("Timer: count", count)
        self.doc = str(doc)
        self.hooks: _hooks.Hooks = {}

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.name or name

    @overload
    def __get__(self, owner: None, cls: type) -> Self: ...
    @overload
    def __get__(self, owner: Owner, cls: type) -> Bound: ...
    def __get__(self, owner: Owner | None, cls: type) -> Self | Any:
        if owner is None:
            return self
        first = owner._places[2] + owner._contents.timer_slots[self.name]
        timers = tuple(BoundTimer(owner, first + element) for element in range(self.count))
        return timers if self.is_array else timers[0]

    def __set__(self, owner: Owner, value: Any) -> None:
        raise AttributeError(f"{self.name} is a timer; arm it")

    def on_expire(self, hook: Hook) -> Hook:
        """Decorates the hook that runs when the timer expires: ``hook(self)``.

        In an array it gets the index of the timer as well.
        """
        _hooks.add(self.hooks, "on_expire", hook, self, "the timer")
        return hook
