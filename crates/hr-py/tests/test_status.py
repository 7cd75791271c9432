"""`hr status` shows everything that waits and runs for this user, and nobody else is told."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from harness import processes
from harness.loop import Loop

if TYPE_CHECKING:
    from harness.user import User

SETTINGS = "[tool.hotreload]\ncheckpoints = 100000\ncheckpoint-overhead = 1000000\n"

MAIN = """\
import os, time
from shop import one, two
print(f"program {os.getpid()}.", flush=True)
while True:
    time.sleep(0.1)
"""

SHOP = {"pyproject.toml": SETTINGS, "main.py": MAIN, "shop/__init__.py": "", "shop/one.py": "", "shop/two.py": ""}


def tree(user: User) -> dict[str, Any] | None:
    """What is shown of the user's project, if anything."""
    shown = json.loads(user.run_hr("status", "--format", "json").stdout)
    assert shown["version"] == 1
    trees = [tree for tree in shown["trees"] if tree["project"] == str(user.place.project)]
    assert len(trees) <= 1
    return trees[0] if trees else None


def tree_with(user: User, role: str, module: str | None) -> dict[str, Any]:
    """The same, once there is such a process: it may still be on its way."""
    deadline = time.monotonic() + processes.LIMIT
    while True:
        shown = tree(user)
        found = [] if shown is None else shown["processes"]
        if shown is not None and any((one["role"], one["module"]) == (role, module) for one in found):
            return shown
        assert time.monotonic() < deadline, shown


ENDS_WHEN_TOLD = """\
import os, signal, sys, time
from shop import one, two

def end(*_):
    while not os.path.exists("end.txt"):
        time.sleep(0.01)
    sys.exit()

signal.signal(signal.SIGTERM, end)
print(f"program {os.getpid()}.", flush=True)
while True:
    time.sleep(0.1)
"""


def spares_of_checkpoints(user: User) -> set[int]:
    """Their process ids, once there are any."""
    deadline = time.monotonic() + processes.LIMIT
    while True:
        shown = (tree(user) or {"processes": []})["processes"]
        checkpoints = {one["pid"] for one in shown if one["role"] == "checkpoint"}
        if spares := {one["pid"] for one in shown if one["role"] == "spare" and one["parent"] in checkpoints}:
            return spares
        assert time.monotonic() < deadline, shown


def test_the_next_version_is_forked_while_the_last_one_ends(user: User) -> None:
    user.place.write({**SHOP, "main.py": ENDS_WHEN_TOLD})
    loop = Loop(user, "main.py", grace=processes.LIMIT)
    loop.expect("program ")
    loop.expect_number()
    tree_with(user, "checkpoint", "shop.two")
    deadline = time.monotonic() + processes.LIMIT
    program, spares = 0, {1}
    while program not in spares:  # it may start from a template that has got better
        assert time.monotonic() < deadline
        user.place.write({"shop/two.py": f"VALUE = {program}\n"})
        spares = spares_of_checkpoints(user)
        user.place.write({"end.txt": ""})
        loop.expect("program ")
        program = loop.expect_number()
        (user.place.project / "end.txt").unlink()
    user.place.write({"end.txt": ""})
    loop.interrupt()


def test_each_process_is_shown_with_what_it_waits_for(user: User) -> None:
    user.place.write(SHOP)
    loop = Loop(user, "main.py")
    loop.expect("program ")
    program = loop.expect_number()
    shown = tree_with(user, "checkpoint", "shop.two")
    by_role: dict[str, list[Any]] = {}
    for process in shown["processes"]:
        by_role.setdefault(process["role"], []).append(process)
        assert process["age"] >= 0
        assert process["private_memory"] is None or process["private_memory"] > 0  # some are there for a moment only
    assert [run["pid"] for run in by_role["run"]] == [program]
    checkpoints = by_role["checkpoint"]
    assert [found["module"] for found in checkpoints] == ["shop", "shop.one", "shop.two"]
    assert [found["saves"] for found in checkpoints] == sorted(found["saves"] for found in checkpoints)
    assert {found["parent"] for found in checkpoints} == {found["pid"] for found in by_role["template"]}
    assert shown["client"] == loop.process.pid
    assert shown["command"].endswith("main.py")
    text = user.run_hr("status").stdout
    assert "├─ before shop.one  " in text
    assert f"  process {program}\n" in text
    assert loop.interrupt() == -signal.SIGINT
    assert tree(user) is None


def test_nothing_is_no_error(user: User) -> None:
    shown = user.run_hr("status")
    assert shown.returncode == 0
    assert bool(shown.stdout) != ("hr  nothing runs" in shown.stderr)


def address_of(shown: dict[str, Any]) -> str:
    """The supervisor's address, by the name that the kernel lists."""
    with open("/proc/net/unix", encoding="ascii") as sockets:
        names = {line.split()[-1] for line in sockets}
    [name] = [name for name in names if name.startswith("@hotreload/") and name.endswith(f"/{shown['supervisor']}")]
    return "\0" + name[1:]


def visit(address: str) -> socket.socket:
    """A connection."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(processes.LIMIT)
    connection.connect(address)
    return connection


def told_as(uid: int, address: str) -> bytes:
    """The first byte that a visitor of that user is told, if any."""
    answer, theirs = os.pipe()
    visitor = os.fork()
    if visitor == 0:
        try:
            os.setuid(uid)
            with visit(address) as connection, contextlib.suppress(ConnectionResetError):
                os.write(theirs, connection.recv(1))
        finally:
            os._exit(0)
    os.close(theirs)
    os.waitpid(visitor, 0)
    with os.fdopen(answer, "rb") as told:
        return told.read()


@pytest.mark.filterwarnings("ignore:.*multi-threaded")  # the copy of this process does next to nothing
@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_another_user_is_told_nothing(user: User) -> None:
    user.place.write(SHOP)
    loop = Loop(user, "main.py")
    loop.expect("program ")
    shown = tree_with(user, "checkpoint", "shop.two")
    assert told_as(os.getuid(), address_of(shown))
    assert not told_as(65534, address_of(shown))
    assert loop.interrupt() == -signal.SIGINT


def test_who_does_not_listen_disturbs_nothing(user: User) -> None:
    user.place.write(SHOP)
    loop = Loop(user, "main.py")
    loop.expect("program ")
    shown = tree_with(user, "checkpoint", "shop.two")
    connections = [visit(address_of(shown)) for _ in range(20)]
    with contextlib.suppress(BrokenPipeError):  # whoever has told all does not listen
        connections[0].sendall(b"anything at all")
    user.place.write({"shop/two.py": "print('changed', flush=True)\n"})
    loop.expect("changed")
    assert tree(user) is not None
    for connection in connections:
        connection.close()
    assert loop.interrupt() == -signal.SIGINT
