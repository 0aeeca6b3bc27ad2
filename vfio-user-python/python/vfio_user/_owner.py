"""What devices and elements of blocks have in common."""

from __future__ import annotations

from typing import ClassVar

from . import _native
from ._contents import Contents


class Owner:
    """An object with registers, timers and private state."""

    _contents: ClassVar[Contents]
    _core: _native.Core
    #: The first register, the first value of private state and the first timer of this object.
    _places: tuple[int, int, int] = (0, 0, 0)
    #: The elements of its blocks by the names of these.
    _blocks: dict[str, tuple[Owner, ...]]
