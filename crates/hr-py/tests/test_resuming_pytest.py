"""Tests under `hr run`: pytest executes their modules itself, moves the standard streams, and remembers failures."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import pytest
from harness import processes
from harness.environment import PYTEST
from harness.loop import Loop
from harness.shop import DENSE

if TYPE_CHECKING:
    from harness.user import User

SETTINGS = DENSE + '[tool.pytest.ini_options]\npythonpath = ["."]\n'

MODULES = {
    "pyproject.toml": SETTINGS,
    "shop/__init__.py": "",
    "shop/one.py": "VALUE = 1\n",
    "shop/two.py": "VALUE = 1\n",
    "tests/conftest.py": "from shop import one\n",
    "tests/test_first.py": "def test_one():\n    from shop import one\n    assert one.VALUE == 1\n",
}

TEST = "from shop import two\ndef test_value():\n    print('a', 'word')\n    assert two.VALUE == 1 and {value}\n"

FILES = {"shop/two.py": "VALUE = 1{value}\n", "tests/test_last.py": TEST}

NUMBERS = itertools.count(1)
"""None of them twice: a file that holds what it held is no edit."""


def shop_under_test(user: User, *options: str) -> Loop:
    user.environment.link(*PYTEST)
    user.place.write({**MODULES, "tests/test_last.py": TEST.format(value="True")})
    loop = Loop(user, "-v", "-m", "pytest", "-q", *options, "tests")
    loop.expect("2 passed")
    loop.expect("waiting for a change")
    return loop


def edit_until(user: User, loop: Loop, file: str, expected: str, resumed: str) -> str:
    """Edit a file until a restart goes on before a module; a checkpoint, or a better template, may still be on its way.

    Returns what was said last.
    """
    deadline = time.monotonic() + processes.LIMIT
    for value in NUMBERS:
        user.place.write({file: FILES[file].format(value=value)})
        told = loop.expect(expected) + expected + loop.expect("waiting for a change")
        if f"· resumed before {resumed} " in told:
            return told
        assert time.monotonic() < deadline, told
    raise AssertionError


@pytest.mark.parametrize("mode", ["prepend", "importlib"])
def test_tests_go_on_before_the_first_module_that_was_edited(user: User, mode: str) -> None:
    loop = shop_under_test(user, f"--import-mode={mode}")
    last = {"prepend": "test_last", "importlib": "tests.test_last"}[mode]
    edit_until(user, loop, "tests/test_last.py", "2 passed", last)
    told = edit_until(user, loop, "shop/two.py", "1 failed, 1 passed", "shop.two")
    assert "test_value" in told
    assert told.count("a word") == 1
    user.place.write({"shop/two.py": "VALUE = 1\n"})
    assert "a word" not in loop.expect("2 passed")
    loop.expect("waiting for a change")
    loop.interrupt()


def test_when_all_checkpoints_have_read_what_was_edited_it_is_told(user: User) -> None:
    loop = shop_under_test(user, "-p", "no:cacheprovider")
    edit_until(user, loop, "tests/test_last.py", "2 passed", "test_last")
    user.place.write({"pyproject.toml": SETTINGS + "addopts = '-rA'\n"})
    user.place.write({"tests/test_last.py": TEST.format(value=next(NUMBERS))})
    told = loop.expect("2 passed")
    assert "hr  from the template: all checkpoints have read pyproject.toml\n" in told
    assert "PASSED" in told
    loop.expect("waiting for a change")
    loop.interrupt()
