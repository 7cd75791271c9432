"""Calls go on from where an earlier run had imported the function's module, as far as no edit has touched that."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

from harness import processes
from harness.caller import Caller

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.user import User

DENSE = "[tool.hotreload]\ncheckpoints = 100000\ncheckpoint-overhead = 1000000\n"
"""Checkpoints wherever they can be, however little time the modules take."""

NAMES = ("one", "two", "three")

MAIN = """\
import os, random
from shop import one, two, three

def state(*given):
    return {
        "values": [one.VALUE, two.VALUE, three.VALUE],
        "new": [module.PID == os.getpid() for module in (one, two, three)],
        "given": given,
        "pid": os.getpid(),
        "random": random.random(),
    }

def fail(*given):
    raise LookupError(*given)

def executed_by():
    return one.PID
"""


def shop(**more: str) -> dict[str, str]:
    modules = {f"shop/{name}.py": module(number) + more.get(name, "") for number, name in enumerate(NAMES)}
    return {"pyproject.toml": DENSE, "shop/__init__.py": "", "shop/main.py": MAIN, **modules}


def module(value: int) -> str:
    """One that remembers by which process it was executed."""
    return f"import os\nVALUE = {value}\nPID = os.getpid()\n"


def call_until(
    caller: Caller, new: list[bool], *given: object, before: Callable[[], object] = lambda: None
) -> dict[str, Any]:
    """Call until just these modules are executed by the run itself, and do something `before` each call.

    A checkpoint may still be on its way, or the template has got better since it was left.
    """
    deadline = time.monotonic() + processes.LIMIT
    while True:
        before()
        state: dict[str, Any] = caller.value("state", *given)
        if state["new"] == new:
            return state
        assert time.monotonic() < deadline, state


def test_the_next_call_imports_nothing(user: User) -> None:
    user.place.write(shop())
    caller = Caller(user, "shop.main")
    first = caller.value("state", "a", 1)
    assert (first["values"], first["new"], first["given"]) == ([0, 1, 2], [True] * 3, ["a", 1])
    second = call_until(caller, [False] * 3)
    assert second["values"] == [0, 1, 2]
    third = call_until(caller, [False] * 3, "b", {"c": "d" * 100_000})
    assert third["given"] == ["b", {"c": "d" * 100_000}]
    assert len({state["pid"] for state in (first, second, third)}) == 3
    assert len({state["random"] for state in (first, second, third)}) == 3
    caller.end()


def test_only_what_comes_after_an_edit_is_imported_again(user: User) -> None:
    user.place.write(shop())
    caller = Caller(user, "shop.main")
    call_until(caller, [False] * 3)
    values = itertools.count(20)
    edit = lambda: user.place.write({"shop/three.py": module(next(values))})  # noqa: E731
    three = call_until(caller, [False, False, True], before=edit)["values"][2]
    assert three == next(values) - 1
    assert call_until(caller, [False] * 3)["values"] == [0, 1, three]
    user.place.write({"shop/one.py": module(10)})
    assert caller.value("state")["values"] == [10, 1, three]
    assert call_until(caller, [False] * 3)["values"] == [10, 1, three]
    user.place.write({"shop/main.py": MAIN.replace('"new"', '"old": 1, "new"')})
    assert caller.value("state")["old"] == 1
    caller.end()


def test_every_function_of_the_module_is_called_from_there(user: User) -> None:
    user.place.write(shop())
    caller = Caller(user, "shop.main")
    call_until(caller, [False] * 3)
    assert caller.call("fail", "lost") == ["RAISED LookupError\n"]
    assert caller.value("executed_by") > 0
    caller.end()


def test_another_environment_is_another_past(user: User) -> None:
    """What a module has made of a variable, it has kept."""
    user.place.write(shop(two="VALUE = os.environ.get('SHOP')\n"))
    caller = Caller(user, "shop.main")
    for shop_name in ("here", "there", "here"):
        assert caller.value("state", SHOP=shop_name)["values"] == [0, shop_name, 2]
        assert call_until(caller, [False] * 3)["values"] == [0, shop_name, 2]
    caller.end()


def test_what_a_module_raises_is_raised_by_each_call_until_it_is_repaired(user: User) -> None:
    user.place.write(shop(three="raise RuntimeError('broken')\n"))
    caller = Caller(user, "shop.main")
    for _ in range(3):
        assert caller.call("state") == ["RAISED RuntimeError\n"]
    user.place.write({"shop/three.py": module(20)})
    assert caller.value("state")["values"] == [0, 1, 20]
    caller.end()


def test_a_module_that_starts_a_thread_is_imported_by_each_call(user: User) -> None:
    thread = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    user.place.write(shop(two=thread))
    caller = Caller(user, "shop.main")
    for _ in range(4):
        state = caller.value("state")
        assert state["new"][1:] == [True, True]
    caller.end()


def test_without_checkpoints_each_call_imports_all(user: User) -> None:
    user.place.write(shop() | {"pyproject.toml": "[tool.hotreload]\ncheckpoints = 0\n"})
    caller = Caller(user, "shop.main")
    for _ in range(4):
        assert caller.value("state")["new"] == [True] * 3
    caller.end()
