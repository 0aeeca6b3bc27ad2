"""Checks of the arguments of declarations, which name the argument and what is accepted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from ._region import CONFIG
from .errors import DeclarationError

Kind = TypeVar("Kind")


def integer(name: str, value: Any, bits: int, least: int = 0) -> int:
    """Returns an integer of at most this number of bits."""
    most = (1 << bits) - 1
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise DeclarationError(
            f"{name} is {value!r}; an integer from {least} to {most:#x} is accepted"
        )
    return value


def count(name: str, value: Any) -> int:
    """Returns a number of elements; 1 for None, which is no array."""
    return 1 if value is None else integer(name, value, 24, least=1)


def optional(name: str, value: Any, bits: int) -> int | None:
    """Returns such an integer, or None."""
    return None if value is None else integer(name, value, bits)


def choice(name: str, value: Any, accepted: Iterable[Any]) -> Any:
    """Returns one of the accepted values."""
    accepted = list(accepted)
    if value not in accepted:
        raise DeclarationError(f"{name} is {value!r}; accepted are {', '.join(map(repr, accepted))}")
    return value


def bar(name: str, value: Any) -> int | None:
    """Returns the region of a BAR, or of configuration space for ``config``."""
    if value is None:
        return None
    return CONFIG if choice(name, value, (*range(6), "config")) == "config" else int(value)


def instance(name: str, value: Any, cls: type[Kind]) -> Kind | None:
    """Returns an object of a class, or None."""
    if value is None or isinstance(value, cls):
        return value
    article = "an" if cls.__name__[0] in "AEIOU" else "a"
    raise DeclarationError(f"{name} is {value!r}; {article} {cls.__name__} is accepted")
