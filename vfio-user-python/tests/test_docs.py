"""The devices of docs/python.md."""

import re

from conftest import ROOT


def test_the_devices_of_the_guide_work():
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    devices = [block for block in blocks if "(vu.Device)" in block]
    assert len(devices) == 4
    names = {"__name__": "guide"}
    for device in devices:
        exec(device, names)
