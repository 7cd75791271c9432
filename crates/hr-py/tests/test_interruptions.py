"""What a program's signal handlers raise reaches the program, wherever in an import it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from harness.loop import Loop
from harness.shop import DENSE

if TYPE_CHECKING:
    from harness.user import User

TIMES = 200

MAIN = f"""\
import signal
import sys
import time
import traceback

class Late(Exception):
    pass

def late(*_):
    raise Late

def interrupted():
    \"\"\"Whether an alarm has interrupted this, and which files of hotreload were at work.\"\"\"
    try:
        time.sleep(0.02)
        time.sleep(0.02)
    except Late as error:
        return True, frames(error)
    return False, []

def frames(error):
    found = [(frame.filename, frame.name) for frame in traceback.extract_tb(error.__traceback__)]
    # Finders are called by importlib, which does not hide them.
    is_found = any(name == "find_spec" for _, name in found)
    return [] if is_found else [name for file, name in found if "/hotreload/" in file]

signal.signal(signal.SIGALRM, late)
ignored = []
sys.unraisablehook = ignored.append  # importlib has a callback in which exceptions are lost
seen, lost = [], 0
for number in range({TIMES}):
    sys.modules[f"new{{number}}"] = sys  # there is something new to tell of
    try:
        signal.setitimer(signal.ITIMER_REAL, (number % 100 + 1) * 4e-6)
        __import__(f"many.m{{number}}")
        came, ours = interrupted()
        seen += ours
        lost += not came
    except Late as error:
        seen += frames(error)
print(f"lost {{lost - len(ignored)}}, seen {{seen}}", flush=True)
while True:
    time.sleep(0.1)
"""


@pytest.mark.parametrize("options", [[], ["--no-checkpoints"], ["--no-reload"]], ids=" ".join)
def test_what_a_signal_handler_raises_is_raised_in_the_program(user: User, options: list[str]) -> None:
    modules = {f"many/m{number}.py": "x = 1\n" for number in range(TIMES)}
    user.place.write({"pyproject.toml": DENSE, "main.py": MAIN, "many/__init__.py": "", **modules})
    loop = Loop(user, *options, "main.py")
    loop.expect("lost 0, seen []\n")
    loop.interrupt()
