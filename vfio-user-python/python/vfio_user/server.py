"""Devices that are served by a thread of this process."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _native

if TYPE_CHECKING:
    from typing_extensions import Self


class Server:
    """A device that a thread serves. It ends with the ``with`` block, or with :meth:`close`."""

    def __init__(
        self, path: str, declaration: _native.Declaration, factory: Callable[[], Any]
    ) -> None:
        self.path = path
        self._server = _native.Server(path, declaration, factory)

    @property
    def device(self) -> Any:
        """The device: after an exception in a hook, the one that replaces it."""
        return self._server.device()

    def close(self) -> None:
        """Ends the server, and removes its socket."""
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
