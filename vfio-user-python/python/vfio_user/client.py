"""The client: attaches to a device that any server serves, and drives it."""

from __future__ import annotations

import os
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _native
from ._names import Description, Registers
from ._region import CONFIG, Bars, Region
from .errors import Error

if TYPE_CHECKING:
    from typing_extensions import Self


class ClientIrq:
    """An interrupt that the client has enabled."""

    def __init__(self, vectors: _native.Vectors, number: int) -> None:
        self._vectors = vectors
        self.number = number

    def take(self) -> int:
        """Returns how often it arrived since the last call, without waiting."""
        return self._vectors.take(self.number)

    def wait(self, timeout: float = 5.0) -> int:
        """Waits for it, at most ``timeout`` seconds; then raises ``TimeoutError``."""
        return self._vectors.wait(self.number, timeout)

    def mask(self) -> None:
        """Masks it: the device keeps it pending."""
        self._vectors.mask(self.number)

    def unmask(self) -> None:
        """Unmasks it."""
        self._vectors.unmask(self.number)


class ClientIrqs:
    """The interrupts that the client has enabled, by their numbers."""

    def __init__(self, vectors: _native.Vectors) -> None:
        self._vectors = vectors

    def __len__(self) -> int:
        return len(self._vectors)

    def __getitem__(self, number: int) -> ClientIrq:
        if not 0 <= number < len(self):
            raise IndexError(f"interrupt {number}; {len(self)} are enabled")
        return ClientIrq(self._vectors, number)


class Memory:
    """Memory that the client shares with the device, at :attr:`iova`."""

    def __init__(self, buffer: _native.DmaBuffer) -> None:
        self._buffer = buffer
        self.iova = buffer.iova

    def __len__(self) -> int:
        return self._buffer.size

    def read(self, offset: int = 0, length: int | None = None) -> bytes:
        """Returns bytes; by default all of them."""
        return self._buffer.read(offset, len(self) - offset if length is None else length)

    def write(self, offset: int, data: bytes) -> None:
        """Writes bytes."""
        self._buffer.write(offset, data)


class Migrated(NamedTuple):
    """The result of a migration."""

    #: The rounds that were copied while the source ran.
    rounds: int
    #: The bytes of state.
    bytes: int
    #: The time for which neither device ran, in seconds.
    downtime: float


class Client:
    """A device that is attached over a socket.

    ``description`` (a device class, or the path of a file with ``--describe=json``) names the
    registers, which are attributes then: ``dev.status``. Names that are methods of this class are
    reached by ``dev.reg``.

    The client sets the function up as a driver does: it assigns BARs and enables memory, ports and
    bus master. With ``setup=False`` it leaves it as it is.
    """

    _client: _native.Client
    reg: Registers
    bar: Bars
    config: Region

    def __init__(
        self,
        path: str | os.PathLike[str],
        description: Description | None = None,
        *,
        setup: bool = True,
        timeout: float = 5.0,
        patience: float = 0.0,
    ) -> None:
        client = _native.Client(os.fspath(path), setup, float(timeout), float(patience))
        vars(self).update(
            _client=client,
            _irqs=None,
            reg=Registers(client, description),
            bar=Bars(client),
            config=Region(client, CONFIG),
        )

    def region(self, index: int) -> Region:
        """Returns a region by its index: 0 to 5 are BARs, 6 the ROM, 7 configuration space."""
        return Region(self._client, index)

    def region_size(self, index: int) -> int:
        """Returns the size of a region in bytes; 0 if the device lacks it."""
        return self._client.region_size(index)

    @property
    def irq(self) -> ClientIrqs:
        """The interrupts, after :meth:`enable_irqs`."""
        irqs: ClientIrqs | None = vars(self)["_irqs"]
        if irqs is None:
            raise Error("no interrupts are enabled; call enable_irqs() before the device raises one")
        return irqs

    def enable_irqs(self, kind: str | None = None, count: int | None = None) -> ClientIrqs:
        """Enables interrupts: ``msix``, ``msi`` or ``intx``, by default the first that exists."""
        counts = dict(zip(("msix", "msi", "intx"), self._client.irq_counts()))
        if kind is None:
            kind = next((own for own, number in counts.items() if number), None)
            if kind is None:
                raise Error("the device has no interrupts")
        vectors = self._client.enable_irqs(kind, counts.get(kind, 0) if count is None else count)
        irqs = ClientIrqs(vectors)
        vars(self)["_irqs"] = irqs
        return irqs

    def alloc(self, size: int) -> Memory:
        """Allocates zeros that the device can access, in whole pages."""
        return Memory(self._client.allocate(size))

    def reset(self) -> None:
        """Resets the function, and sets it up again."""
        self._client.reset()

    def migrate_to(self, destination: Client) -> Migrated:
        """Moves the state of this device to another one, as a VMM does."""
        return Migrated(*self._client.migrate(destination._client))

    def close(self) -> None:
        """Detaches."""
        vars(self)["_irqs"] = None
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        registers = vars(self).get("reg")
        if registers is None or name.startswith("_"):
            raise AttributeError(name)
        return getattr(registers, name)

    def __setattr__(self, name: str, value: int) -> None:
        if hasattr(type(self), name) or name in vars(self):
            raise AttributeError(f"{name} cannot be set; a register of this name is reg.{name}")
        setattr(self.reg, name, value)
