"""A file that cannot be parsed keeps the version from before running, if the next one could not do without the file."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from harness.shop import DENSE

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.development import Development
    from harness.user import User

BROKEN = "def tax(:\n"

SERVER = {
    "app.py": """\
import importlib
import signal
import socket

from shop.prices import PRICE

with socket.create_server(("127.0.0.1", 0)):
    taxes = importlib.import_module("shop.taxes")
    print(f"the price is {PRICE} and {taxes.TAX}", flush=True)
    signal.pause()
""",
    "manage.py": "print('managed')\n",
    "shop/__init__.py": "",
    "shop/prices.py": "PRICE = 1\n",
    "shop/taxes.py": "TAX = 1\n",
    "pyproject.toml": DENSE,
}


def test_what_the_program_does_without_holds_up_nothing(user: User, develop: Callable[..., Development]) -> None:
    user.place.write(SERVER)
    hr = develop("-v", "app.py")
    hr.wait_for("the price is 1 and 1")
    hr.save("manage.py", BROKEN)
    assert hr.wait_for("hr  manage.py:1:").endswith(" · the program has not loaded it")
    hr.wait_for("hr  manage.py · re")
    hr.wait_for("the price is 1 and 1")
    hr.save("shop/prices.py", "PRICE = 2\n")
    hr.wait_for("the price is 2 and 1")
    assert hr.end(signal.SIGTERM) == -signal.SIGTERM
    assert len(hr.told("syntax error")) == 1


def test_what_it_loads_while_it_serves_is_needed(user: User, develop: Callable[..., Development]) -> None:
    user.place.write(SERVER)
    hr = develop("-v", "app.py")
    hr.wait_for("the price is 1 and 1")
    resumed, price = False, 1
    while not resumed:
        hr.save("shop/taxes.py", BROKEN)
        assert hr.wait_for("hr  shop/taxes.py:1:").endswith(" · still running the last good version")
        hr.save("shop/taxes.py", "TAX = 1\n")
        hr.wait_for("hr  shop/taxes.py · nothing to do")
        price += 1
        hr.save("shop/prices.py", f"PRICE = {price}\n")
        # A version that goes on from the past of another has not loaded all of it itself.
        resumed = "resumed before shop.prices " in hr.wait_for("hr  shop/prices.py · re")
        hr.wait_for(f"the price is {price} and 1")
    hr.save("shop/__init__.py", BROKEN)
    assert hr.wait_for("hr  shop/__init__.py:1:").endswith(" · still running the last good version")
    assert hr.end(signal.SIGTERM) == -signal.SIGTERM


def test_what_the_next_version_would_import_is_needed(user: User, develop: Callable[..., Development]) -> None:
    user.place.write(SERVER)
    hr = develop("app.py")
    hr.wait_for("the price is 1 and 1")
    with hr.stopped():
        hr.save("shop/rebates.py", BROKEN)
        hr.save("shop/prices.py", "from shop import rebates\nPRICE = 2\n")
    assert hr.wait_for("hr  shop/rebates.py:1:").endswith(" · still running the last good version")
    hr.save("shop/rebates.py", "")
    hr.wait_for("the price is 2 and 1")
    assert hr.end(signal.SIGTERM) == -signal.SIGTERM


def test_a_file_that_has_kept_the_program_from_starting_is_needed(
    user: User, develop: Callable[..., Development]
) -> None:
    user.place.write({**SERVER, "shop/prices.py": BROKEN})
    hr = develop("app.py")
    hr.wait_for("hr  app.py has ended with exit status 1 · waiting for a change")
    hr.save("shop/prices.py", "def rebate(:\n")
    assert hr.wait_for("hr  shop/prices.py:1:").endswith(" · waiting for a change")
    hr.save("shop/prices.py", "PRICE = 3\n")
    hr.wait_for("the price is 3 and 1")
    hr.save("app.py", "def main(:\n")
    assert hr.wait_for("hr  app.py:1:").endswith(" · still running the last good version")
    assert hr.end(signal.SIGTERM) == -signal.SIGTERM
