"""Blocks: groups of registers that a device has several of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from . import _check
from ._contents import Contents, members_of, refuse
from ._owner import Owner
from .errors import DeclarationError

if TYPE_CHECKING:
    from typing_extensions import Self

    from . import _native
    from .device import Device

Element = TypeVar("Element")
OwnBlock = TypeVar("OwnBlock", bound="Block")


class Block(Owner):
    """A group of registers, private state and timers: a subclass declares one.

    Its hooks are methods; ``self`` is the element, with its ``index``, its ``device``, and
    ``parent``, which is the device or the element of the block around it. ``__init__`` runs for
    each element when the device is constructed, before that of the device.
    """

    index: int
    device: Any
    parent: Any

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        members = members_of(cls, "Block", RESERVED)
        refuse(cls, members)
        cls._contents = Contents(cls, members)

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        raise DeclarationError(
            f"{cls.__name__} is a block; its elements exist with the device that declares "
            f"Blocks({cls.__name__}, ..)"
        )


#: The names that no register of a block has.
RESERVED = ("index", "device", "parent")


class Blocks(Generic[Element]):
    """A block of a device at an offset, or an array of ``count`` elements.

    The attribute of the device is the element, or a tuple of them. ``vector`` is the number that
    the interrupts of the first element count from, and ``vector_stride`` the distance of those of
    the next.
    """

    @overload
    def __init__(
        self: Blocks[OwnBlock],
        block: type[OwnBlock],
        offset: int,
        *,
        count: None = None,
        bar: int | str | None = None,
        vector: int = 0,
        keep_on_flr: bool = False,
        doc: str = "",
    ) -> None: ...
    @overload
    def __init__(
        self: Blocks[tuple[OwnBlock, ...]],
        block: type[OwnBlock],
        offset: int,
        *,
        count: int,
        stride: int | None = None,
        bar: int | str | None = None,
        vector: int = 0,
        vector_stride: int = 0,
        keep_on_flr: bool = False,
        doc: str = "",
    ) -> None: ...
    def __init__(
        self,
        block: Any,
        offset: int,
        *,
        count: int | None = None,
        stride: int | None = None,
        bar: int | str | None = None,
        vector: int = 0,
        vector_stride: int = 0,
        keep_on_flr: bool = False,
        doc: str = "",
    ) -> None:
        if not isinstance(block, type) or not issubclass(block, Block) or block is Block:
            raise DeclarationError(f"Blocks: {block!r}; a subclass of Block is accepted")
        self.name = ""
        where = f"the block at {offset!r}"
        self.block: type[Block] = block
        self.offset = _check.integer("the offset of a block", offset, 64)
        self.is_array = count is not None
        self.count: int = _check.count(f"{where}: count", count)
        self.stride = _check.optional(f"{where}: stride", stride, 32)
        self.bar = _check.bar(f"{where}: bar", bar)
        self.vector = _check.integer(f"{where}: vector", vector, 11)
        self.vector_stride = _check.integer(f"{where}: vector_stride", vector_stride, 11)
        self.keep_on_flr = bool(keep_on_flr)
        self.doc = str(doc)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.name or name

    @property
    def contents(self) -> Contents:
        """What each element consists of."""
        return self.block._contents

    @overload
    def __get__(self, owner: None, cls: type) -> Self: ...
    @overload
    def __get__(self, owner: Owner, cls: type) -> Element: ...
    def __get__(self, owner: Owner | None, cls: type) -> Self | Any:
        if owner is None:
            return self
        elements = owner._blocks[self.name]
        return elements if self.is_array else elements[0]

    def __set__(self, owner: Owner, value: Any) -> None:
        raise AttributeError(f"{self.name} is a block; set its registers")


def construct(declaration: _native.Declaration, device: Device) -> list[list[Block]]:
    """Constructs the elements of all blocks of a device, and returns them by their groups."""
    groups: list[list[Block]] = []
    _construct(declaration, device, device, (0, 0), groups)
    return groups


def _construct(
    declaration: _native.Declaration,
    device: Device,
    owner: Owner,
    place: tuple[int, int],
    groups: list[list[Block]],
) -> None:
    """Constructs the blocks of an owner, which is an element of a group."""
    group, number = place
    owner._blocks = {}
    for blocks, child in zip(owner._contents.blocks, declaration.children(group)):
        groups.extend([] for _ in range(child - len(groups)))
        elements = []
        for index in range(blocks.count):
            element = object.__new__(blocks.block)
            own = number * blocks.count + index
            element._core = device._core
            element._places = declaration.place(child, own)
            element.index, element.device, element.parent = index, device, owner
            groups[child - 1].append(element)
            elements.append(element)
            _construct(declaration, device, element, (child, own), groups)
            element.__init__()
        owner._blocks[blocks.name] = tuple(elements)
