"""A program of five modules, each with a value and a line that it prints, and edits of them under `hr run`."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

from harness import processes

if TYPE_CHECKING:
    from harness.loop import Loop
    from harness.user import User

DENSE = '[project]\nname = "shop"\nversion = "0"\n[tool.hotreload]\ncheckpoint-overhead = 1000000\ncheckpoints = 50\n'
"""A checkpoint before each module, however little time it takes."""

NAMES = ["one", "two", "three", "four", "five"]

MAIN = """\
import os, time
from shop import one, two, three, four, five
print(f"values {one.VALUE} {two.VALUE} {three.VALUE} {four.VALUE} {five.VALUE} in {os.getcwd()}.", flush=True)
while True:
    time.sleep(0.1)
"""


VALUES = itertools.count(100)
"""None of them twice: a file that holds what it held is no edit."""


def shop(**more: str) -> dict[str, str]:
    modules = {
        f"shop/{name}.py": f"VALUE = {number}\nprint('{name}.', flush=True)\n" for number, name in enumerate(NAMES)
    }
    for name, text in more.items():
        modules[f"shop/{name}.py"] += text
    return {"pyproject.toml": DENSE, "main.py": MAIN, "shop/__init__.py": "", **modules}


def edit(user: User, name: str, value: int, more: str = "") -> None:
    user.place.write({f"shop/{name}.py": f"VALUE = {value}\nprint('{name} {value}.', flush=True)\n{more}"})


def edit_until(user: User, loop: Loop, name: str, resumed: str, more: str = "") -> tuple[int, str]:
    """Edit a module until a restart goes on before another one.

    A checkpoint may still be on its way when it is asked for.
    Returns the module's last value, and what was said from the last edit on.
    """
    deadline = time.monotonic() + processes.LIMIT
    for value in VALUES:
        edit(user, name, value, more)
        told = loop.expect(f"{name} {value}.")
        told += loop.expect("values ") + loop.expect(" in ")
        if f"· resumed before shop.{resumed} " in told:
            return value, told
        assert time.monotonic() < deadline, told
    raise AssertionError
