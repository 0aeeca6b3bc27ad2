"""Private state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from . import _check
from .errors import DeclarationError

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._owner import Owner

Value = TypeVar("Value")

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
    def __get__(self, owner: None, cls: type) -> Self: ...
    @overload
    def __get__(self, owner: Owner, cls: type) -> Value: ...
    def __get__(self, owner: Owner | None, cls: type) -> Self | Value:
        if owner is None:
            return self
        value: Value = owner._core.private(self._place(owner))
        return value

    def __set__(self, owner: Owner, value: Value) -> None:
        owner._core.set_private(self._place(owner), value)

    def _place(self, owner: Owner) -> int:
        return owner._places[1] + owner._contents.values[self.name]


def _type_of(initial: Any) -> str:
    for kind, name in ((bool, "bool"), (int, "u64"), (str, "str"), (bytes, "bytes"), (tuple, "[u64]")):
        if isinstance(initial, kind):
            return name
    raise DeclarationError(
        f"State: the initial value is {initial!r}; a bool, int, str, bytes or tuple is accepted"
    )
