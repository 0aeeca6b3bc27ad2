"""Hooks, which decorators add to what a class declares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .errors import DeclarationError

Hooks = dict[str, Callable[..., Any]]


def add(hooks: Hooks, kind: str, hook: Callable[..., Any], declared: Any, where: str) -> None:
    """Adds a hook of a kind."""
    if kind in hooks:
        raise DeclarationError(f"{where} has a hook {kind} already")
    hooks[kind] = hook
    # A hook with the name of what it belongs to takes its place in the class.
    setattr(hook, "__hook_of__", declared)


def resolve(cls: type, hook: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a hook of a class; a subclass overrides it as it overrides a method."""
    name = getattr(hook, "__name__", "")
    if any(vars(base).get(name) is hook for base in cls.__mro__):
        method: Callable[..., Any] = getattr(cls, name)
        return method
    return hook
