"""The tests that follow from a declaration."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from . import _native
from .device import Device, _declared


class ConformanceTest:
    """One generated test; a call runs it, and raises ``AssertionError`` if the device is wrong."""

    def __init__(
        self,
        name: str,
        cls: type[Device],
        construct: Callable[[], Device],
        exclude: Sequence[str],
    ) -> None:
        self.__name__ = name
        self._cls = cls
        self._construct = construct
        self._exclude = list(exclude)

    def __call__(self) -> None:
        _native.run_test(self.__name__, _declared(self._cls), self._construct, self._exclude)

    def __repr__(self) -> str:
        return f"{self._cls.__name__}: {self.__name__}"


def conformance_tests(
    cls: type[Device],
    construct: Callable[[], Device] | None = None,
    *,
    exclude: Sequence[str] = (),
) -> list[ConformanceTest]:
    """Returns the tests of a device class, for ``pytest.mark.parametrize``.

    They check resets, every bit of every register by its policy, every size and alignment of
    access, configuration space, and migration. ``exclude`` names registers that they leave out.
    """
    return [
        ConformanceTest(name, cls, construct or cls, exclude) for name in _native.tests()
    ]
