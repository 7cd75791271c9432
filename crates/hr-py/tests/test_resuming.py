"""Restarts that go on from the past of a run: where, after what, and what cannot be kept."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import time
from typing import TYPE_CHECKING

import pytest
from harness import processes
from harness.loop import Loop
from harness.shop import DENSE, MAIN, VALUES, edit, edit_until, shop

if TYPE_CHECKING:
    from harness.user import User


def test_only_what_comes_after_the_edit_is_executed_again(user: User) -> None:
    user.place.write(shop())
    loop = Loop(user, "main.py")
    loop.expect("values 0 1 2 3 4 ")
    four, told = edit_until(user, loop, "four", "four")
    assert re.search(r"hr  shop/four\.py · resumed before shop\.four \(\d+( of \d+)? modules kept\) · \d+ ms\n", told)
    assert "\nfive.\n" in told
    assert "three." not in told
    assert f"0 1 2 {four} 4" in told
    two, told = edit_until(user, loop, "two", "two")
    # Where the line of hr comes among those of the program is chance.
    printed = re.sub(r"^hr  .*\n", "", told, flags=re.MULTILINE)
    assert f"\nthree.\nfour {four}.\nfive.\n" in printed
    assert "one." not in told
    assert f"0 {two} 2 {four} 4" in told
    assert loop.interrupt() == -signal.SIGINT


def test_several_edits_at_once_go_on_before_the_first_of_them(user: User) -> None:
    user.place.write(shop())
    loop = Loop(user, "main.py")
    loop.expect("values 0 1 2 3 4 ")
    edit_until(user, loop, "five", "five")
    deadline = time.monotonic() + processes.LIMIT
    told = ""
    while not re.search("resumed before shop.(one|two|three) ", told):  # the template may have got better meanwhile
        assert time.monotonic() < deadline, told
        three, five = next(VALUES), next(VALUES)
        with loop.stopped():
            edit(user, "five", five)
            edit(user, "three", three)
        told = loop.expect(f"values 0 1 {three} 3 {five} ")
    assert loop.interrupt() == -signal.SIGINT


def test_what_is_added_to_the_template_is_not_imported_by_each_restart(user: User) -> None:
    """A checkpoint from before does not have it, and is not gone on from."""
    user.environment.install_files({"ledger.py": "import os, time\ntime.sleep(0.5)\nprint('ledger in', os.getpid())\n"})
    user.place.write(shop())
    loop = Loop(user, "main.py")
    loop.expect("values 0 1 2 3 4 ")
    edit_until(user, loop, "five", "five")
    with loop.stopped():  # what is half written imports nothing yet
        edit(user, "five", 40, "import ledger\n")
    told = loop.expect("values 0 1 2 3 40 ")
    assert told.count("ledger in") == told.count("printed during import: ledger in")
    told = edit_until(user, loop, "five", "five", "import ledger\n")[1]
    assert "ledger in" not in told
    assert loop.interrupt() == -signal.SIGINT


def test_going_on_loads_no_modules_that_the_program_has_not_asked_for(user: User) -> None:
    user.place.write(shop(four="import sys\nLOADED = set(sys.modules)\n"))
    loop = Loop(user, "main.py")
    loop.expect("values 0 1 2 3 4 ")
    compare = "import sys\nfrom shop import four\nprint(*set(sys.modules) - four.LOADED)\n"
    told = edit_until(user, loop, "five", "five", compare)[1]
    assert "\nshop.five\n" in told
    assert loop.interrupt() == -signal.SIGINT


MIGRATE = """\
import importlib, pkgutil
import migrations
FOUND = [found.name for found in pkgutil.iter_modules(migrations.__path__)]
APPLIED = [importlib.import_module(f"migrations.{name}").VALUE for name in FOUND]
print("applied", *APPLIED, "in all", flush=True)
"""


@pytest.mark.parametrize("options", [[], ["--no-checkpoints"]], ids=["checkpoints", "none"])
def test_modules_that_no_statement_can_name_are_modules(user: User, options: list[str]) -> None:
    """Django's migrations are found by walking through their directory."""
    user.place.write({**shop(three=MIGRATE), "migrations/__init__.py": "", "migrations/0001_initial.py": "VALUE = 1\n"})
    loop = Loop(user, *options, "main.py")
    loop.expect("applied 1 in all")
    loop.expect("values 0 1 2 3 4 ")
    for value in range(2, 5):
        user.place.write({"migrations/0001_initial.py": f"VALUE = {value}\n"})
        loop.expect(f"applied {value} in all")
        loop.expect("values 0 1 2 3 4 ")
    with loop.stopped():
        user.place.write({"migrations/0002_more.py": "VALUE = 20\n"})
        edit(user, "five", 40)
    loop.expect("applied 4 20 in all")
    loop.expect("values 0 1 2 3 40 ")
    assert loop.interrupt() == -signal.SIGINT


def test_without_checkpoints_a_restart_begins_at_the_first_line(user: User) -> None:
    user.place.write(shop())
    loop = Loop(user, "--no-checkpoints", "main.py")
    loop.expect("values 0 1 2 3 4 ")
    edit(user, "five", 40)
    told = loop.expect("values 0 1 2 3 40 ")
    assert all(f"{line}.\n" in told for line in ("one", "two", "three", "four", "five 40"))
    if "· restarted in " not in told:
        loop.expect("· restarted in ")
    assert loop.interrupt() == -signal.SIGINT


OBSTACLES = {
    "thread": (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n",
        "a thread",
    ),
    "process": ("import subprocess\nsubprocess.run(['true'])\n", "a process was started"),
    "fork": ("import os\nif os.fork() == 0:\n    os._exit(0)\nos.wait()\n", "a process was forked"),
    "socket": ("import socket\nSERVER = socket.socket()\n", "a socket is open"),
    "log": ("LOG = open('log.txt', 'w')\n", "log.txt is open for writing"),
    "lock": ("import multiprocessing\nLOCK = multiprocessing.Lock()\n", "memory is shared"),
    "timer": ("import signal\nsignal.setitimer(signal.ITIMER_REAL, 1000)\n", "a timer runs"),
    "at-fork": ("import os\nos.register_at_fork(before=print)\n", "functions are registered for forks"),
    "children": ("import signal\nsignal.signal(signal.SIGCHLD, print)\n", "SIGCHLD is handled"),
}


@pytest.mark.parametrize("kind", OBSTACLES)
def test_past_a_point_of_no_return_nothing_is_kept_and_what_came_before_is(user: User, kind: str) -> None:
    source, told = OBSTACLES[kind]
    user.place.write(shop(three=source))
    loop = Loop(user, "-v", "main.py")
    said = loop.expect("values 0 1 2 3 4 ")
    said += loop.expect("executed by each restart: ") if "executed by each" not in said else ""
    edit(user, "five", 40)
    again = loop.expect("values 0 1 2 3 40 ")
    assert "before shop.four" not in again
    assert "before shop.five" not in again
    assert all(line in again for line in ("three.\n", "four.\n", "five 40.\n"))
    loop.interrupt()
    said += again + loop.rest()
    assert told in said
    assert "shop/three.py:" in said or "shop/four.py" in said or "main.py:" in said


def test_a_library_that_is_looked_for_is_no_point_of_no_return(user: User) -> None:
    """For which programs such as `ldconfig` are started, and have ended when it is found."""
    user.place.write(shop(three="import ctypes.util, platform\nctypes.util.find_library('c')\nplatform.processor()\n"))
    loop = Loop(user, "-v", "main.py")
    loop.expect("values 0 1 2 3 4 ")
    edit_until(user, loop, "five", "five")
    assert loop.interrupt() == -signal.SIGINT
    assert "executed by each restart" not in loop.rest()


def test_a_watched_file_that_nobody_is_seen_to_read_may_have_been_read_anywhere(user: User) -> None:
    native = "import ctypes\nC = ctypes.CDLL(None)\nC.fopen.restype = ctypes.c_void_p\n"
    native += "C.fgetc.argtypes = [ctypes.c_void_p]\n"
    native += "print('price', chr(C.fgetc(C.fopen(b'price.txt', b'r'))), flush=True)\n"
    user.place.write({**shop(two=native), "price.txt": "1"})
    loop = Loop(user, "--watch", "price.txt", "main.py")
    loop.expect("price 1\n")
    loop.expect("values 0 1 2 3 4 ")
    for price in "234":
        user.place.write({"price.txt": price})
        loop.expect(f"price {price}\n")
        loop.expect("values 0 1 2 3 4 ")
    assert loop.interrupt() == -signal.SIGINT


def test_a_directory_that_was_changed_stays_so(user: User) -> None:
    user.place.write(shop(two="import os\nos.chdir('elsewhere')\n"))
    user.place.write({"elsewhere/README": ""})
    loop = Loop(user, "main.py")
    place = f"in {user.place.project}/elsewhere."
    loop.expect(place)
    edit_until(user, loop, "four", "four")
    loop.expect(place.removeprefix("in "))
    assert loop.interrupt() == -signal.SIGINT


def test_a_file_that_an_import_has_read_is_an_input_like_its_source(user: User) -> None:
    user.place.write(shop(three="PRICE = open('price.txt').read()\nprint('price', PRICE, flush=True)\n"))
    user.place.write({"price.txt": "1"})
    loop = Loop(user, "--watch", "price.txt", "main.py")
    loop.expect("values 0 1 2 3 4 ")
    user.place.write({"price.txt": "2"})
    told = loop.expect("values 0 1 2 3 4 ")
    assert "price 2\n" in told
    assert "before shop.four" not in told
    assert "before shop.five" not in told
    assert loop.interrupt() == -signal.SIGINT


def test_a_file_that_is_written_anew_with_what_was_in_it_is_the_same(user: User) -> None:
    """Programs keep what they know from one start to the next in files."""
    user.place.write(shop(two="SEEN = open('seen.txt').read()\nprint('seen', SEEN, flush=True)\n"))
    save = "from shop import two\nwith open('seen.txt', 'w') as file:\n    file.write(two.SEEN)\n"
    edit(user, "five", 4, save)
    user.place.write({"seen.txt": "1"})
    loop = Loop(user, "main.py")
    loop.expect("values 0 1 2 3 4 ")
    assert "seen" not in edit_until(user, loop, "four", "four")[1]
    user.place.write({"seen.txt": "2"})
    edit(user, "four", 30)
    assert "seen 2\n" in loop.expect(" 30 4 ")
    assert "seen" not in edit_until(user, loop, "four", "four")[1]
    assert loop.interrupt() == -signal.SIGINT


def test_what_a_program_makes_at_its_beginning_and_removes_at_its_end_is_made_again(user: User) -> None:
    user.place.write(
        shop(two="import atexit, shutil, tempfile\nPLACE = tempfile.mkdtemp()\natexit.register(shutil.rmtree, PLACE)\n")
    )
    rest = "import os\nfrom shop import two\nprint('there', os.path.isdir(two.PLACE), flush=True)\n"
    edit(user, "four", 3, rest)
    end = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit())\n"
    user.place.write({"main.py": end + MAIN})
    loop = Loop(user, "main.py")
    loop.expect("values ")
    for value in (30, 31, 32):
        edit(user, "four", value, rest)
        assert "there True" in loop.expect(f" {value} 4 ")
    assert loop.interrupt() == -signal.SIGINT


def pythons(user: User) -> list[processes.Process]:
    """Every process of Python: the program, its template, and its paused copies."""
    return [process for process in processes.marked(user.mark) if process.command.startswith("python")]


def test_whichever_paused_process_is_killed_the_next_restart_is_right(user: User) -> None:
    user.place.write(shop())
    loop = Loop(user, "main.py")
    loop.expect("values 0 1 2 3 4 ")
    value = 40
    program = None
    for _ in range(12):
        victims = sorted(pythons(user), key=lambda process: process.pid)
        with contextlib.suppress(ProcessLookupError):  # some are there for a moment only
            os.kill(victims[value % len(victims)].pid, signal.SIGKILL)
        value += 1
        edit(user, "five", value)
        program = loop.expect(f"values 0 1 2 3 {value} ")
        assert f"five {value}." in program
    assert loop.interrupt() == -signal.SIGINT


def test_checkpoints_go_when_they_take_too_much_memory(user: User) -> None:
    user.place.write(shop())
    user.place.write({"pyproject.toml": DENSE + "checkpoint-memory = 0\n"})
    loop = Loop(user, "-v", "main.py")
    loop.expect("checkpoints given up")
    told, deadline = "", time.monotonic() + processes.LIMIT
    while "· restarted in " not in told:  # others may still be on their way
        assert time.monotonic() < deadline, told
        value = next(VALUES)
        edit(user, "five", value)
        told = loop.expect(f"values 0 1 2 3 {value} ")
    assert loop.interrupt() == -signal.SIGINT


def few_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48))


def test_with_few_descriptors_the_program_starts_all_the_same(user: User) -> None:
    user.place.write(shop())
    names = [f"part{number}" for number in range(30)]
    user.place.write({f"shop/{name}.py": "" for name in names})
    edit(user, "two", 1, "".join(f"import shop.{name}\n" for name in names))
    loop = Loop(user, "main.py", prepare=few_descriptors)
    for value in range(40, 46):
        loop.expect("values ")
        edit(user, "five", value)
    loop.expect("values 0 1 2 3 45 ")
    assert loop.interrupt() == -signal.SIGINT
