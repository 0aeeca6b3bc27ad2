"""The exceptions of this package. All of them are an :class:`Error`."""

from __future__ import annotations


class Error(Exception):
    """An error of a device, a server or a client."""


class DeclarationError(Error, TypeError):
    """A device class declares what cannot be; the text names the attribute and what is accepted."""


class HookError(Error):
    """Something that only a hook may use was used elsewhere, or a device is used twice."""


class DmaError(Error):
    """The client's memory cannot be accessed there."""


class StateError(Error):
    """A state is refused, or cannot be saved."""


class SocketError(Error):
    """A socket cannot be used."""


class DisconnectedError(Error):
    """The server closed the connection."""


class InUseError(Error):
    """Another client is attached to the device."""


class AnswerTimeout(Error, TimeoutError):
    """The server did not answer in time."""


class RefusedError(Error):
    """The server answered a request with an error number, :attr:`errno`."""

    def __init__(self, text: str, errno: int) -> None:
        super().__init__(text)
        self.errno = errno


class MigrationError(Error):
    """A migration failed. :attr:`running` is ``source``, ``neither`` or ``unknown``."""

    def __init__(self, text: str, running: str) -> None:
        super().__init__(text)
        self.running = running
