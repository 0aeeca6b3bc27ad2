"""Checks of the arguments of declarations, which name the argument and what is accepted."""

from __future__ import annotations

from typing import Any, Iterable

from .errors import DeclarationError


def integer(name: str, value: Any, bits: int) -> int:
    """Returns an integer of at most this number of bits."""
    most = (1 << bits) - 1
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise DeclarationError(f"{name} is {value!r}; an integer from 0 to {most:#x} is accepted")
    return value


def optional(name: str, value: Any, bits: int) -> int | None:
    """Returns such an integer, or None."""
    return None if value is None else integer(name, value, bits)


def choice(name: str, value: Any, accepted: Iterable[Any]) -> Any:
    """Returns one of the accepted values."""
    accepted = list(accepted)
    if value not in accepted:
        raise DeclarationError(f"{name} is {value!r}; accepted are {', '.join(map(repr, accepted))}")
    return value
