"""The devices of docs/python.md."""

import inspect
import re

import pytest
import vfio_user as vu
from vfio_user import _region, device

from conftest import ROOT

#: Classes that a program uses and does not construct.
USED = {"Region": _region.Region, "Dma": device.Dma}


def test_the_devices_of_the_guide_work():
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    devices = [block for block in blocks if "(vu.Device)" in block]
    assert len(devices) == 4
    names = {"__name__": "guide"}
    for device in devices:
        exec(device, names)


def signatures():
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    section = page.split("\n## Signatures\n")[1].split("\n## ")[0]
    (listing,) = re.findall(r"```text\n(.*?)```", section, re.DOTALL)
    return [line for line in listing.splitlines() if line]


def parameters_of(name):
    head, *rest = name.split(".")
    call = USED.get(head) or getattr(vu, head)
    for part in rest:
        call = getattr(call, part)
    given = list(inspect.signature(call).parameters.values())
    return given[1:] if given[0].name == "self" else given


def parameters_in(text):
    """Parses ``a, b=1, *, c``."""
    scope = {}
    exec(f"def listed({text}): ...", scope)
    return list(inspect.signature(scope["listed"]).parameters.values())


@pytest.mark.parametrize("line", signatures())
def test_signatures_of_the_guide(line):
    name, text = line.removesuffix(")").split("(", 1)

    def plain(parameters):
        return [(own.name, own.kind, own.default) for own in parameters]

    assert plain(parameters_in(text)) == plain(parameters_of(name))


def test_each_class_that_a_program_constructs_is_listed():
    listed = {re.split(r"[.(]", line)[0] for line in signatures()}
    errors = {name for name in vu.__all__ if isinstance(getattr(vu, name), type)}
    errors = {name for name in errors if issubclass(getattr(vu, name), Exception)}
    # These are made by the package, or are subclassed.
    made = {"Block", "BoundMemory", "ClientIrqs", "ConformanceTest", "Migrated", "Server", "SharedMemory"}
    assert set(vu.__all__) - errors - made == listed - set(USED)
