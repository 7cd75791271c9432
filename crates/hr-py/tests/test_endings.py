"""Programs end as they would by themselves, are told of as what they were, and leave nothing behind."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from harness import processes

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.development import Address, Development
    from harness.user import User

CLEANS_UP = """\
import atexit
import signal
import sys
import time

atexit.register(print, "cleaned up", flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
print("running", flush=True)
while True:
    time.sleep(0.1)
"""

STUBBORN = """\
import os
import signal
import socket
import subprocess
import sys

host, port = sys.argv[1:]
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((host, int(port)))
listener.listen()
listener.set_inheritable(True)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
endless = "import os, signal; print('child', os.getpid(), flush=True); signal.pause()"
subprocess.Popen([sys.executable, "-c", endless], start_new_session=True, close_fds=False)
print("version", {version}, flush=True)
signal.pause()
"""


SLOW = """\
import os
import signal
import time


def end(*_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(2.5)
    os.write(1, b"saved\\n")
    os._exit(5)


signal.signal(signal.SIGTERM, end)
os.write(1, b"running\\n")
while True:
    signal.pause()
"""
"""Its clean-up takes longer than `hr` gives a program that nobody waits for."""

ONCE = {
    "print('done')": (0, "done\n", ""),
    "import sys\nsys.exit(7)": (7, "", ""),
    "import sys\nsys.exit('not today')": (1, "", "not today\n"),
    "import os\nos.kill(os.getpid(), 15)": (-signal.SIGTERM, "", ""),
    "1 / 0": (1, "", "ZeroDivisionError: division by zero\n"),
    "def f(:": (1, "", "SyntaxError: invalid syntax\n"),
}
"""Programs, their exit statuses as `subprocess` tells them, what they write, and how their errors end."""


def test_a_program_that_is_run_once_ends_as_without_hr(user: User) -> None:
    for program, (status, stdout, stderr) in ONCE.items():
        user.place.write({"app.py": program + "\n"})
        done = user.run_hr("run", "--no-reload", "-q", "app.py")
        assert (done.returncode, done.stdout) == (status, stdout), done.stderr
        assert done.stderr.endswith(stderr) if stderr else done.stderr == ""
        assert "hotreload" not in done.stderr


def test_the_end_of_a_program_is_told_and_the_next_save_starts_it(
    user: User, develop: Callable[..., Development]
) -> None:
    user.place.write({"app.py": "print('first')\n"})
    hr = develop("app.py")
    hr.wait_for("first")
    hr.wait_for("hr  app.py has ended · waiting for a change")
    hr.save("app.py", "import sys\n\nsys.exit(3)\n")
    hr.wait_for("hr  app.py has ended with exit status 3 · waiting for a change")
    hr.save("app.py", "import os\n\nos.kill(os.getpid(), 9)\n")
    hr.wait_for("hr  app.py has ended by SIGKILL · waiting for a change")
    hr.save("app.py", CLEANS_UP)
    hr.wait_for("running")
    assert hr.end(signal.SIGTERM) == -signal.SIGTERM
    hr.wait_for("cleaned up")


def test_a_program_that_ended_while_it_was_saved_is_started_again(
    user: User, develop: Callable[..., Development]
) -> None:
    user.place.write({"app.py": "print('first')\n"})
    hr = develop("app.py")
    hr.wait_for("hr  app.py has ended · waiting for a change")
    hr.save("app.py", "# It is only a comment.\nprint('first')\n")
    hr.wait_for("hr  app.py has ended · waiting for a change")
    assert hr.told("first") == ["first", "first"]
    assert hr.end(signal.SIGINT) == -signal.SIGINT


def test_an_old_run_cleans_up_before_the_new_one_starts(user: User, develop: Callable[..., Development]) -> None:
    user.place.write({"app.py": CLEANS_UP})
    hr = develop("app.py")
    hr.wait_for("running")
    hr.save("app.py", CLEANS_UP.replace("running", "running again"))
    hr.wait_for("running again")
    lines = [line for line in hr.lines if not line.startswith("hr  ")]
    assert lines == ["running", "cleaned up", "running again"]
    assert hr.end(signal.SIGTERM) == -signal.SIGTERM


def test_a_signal_to_the_whole_job_leaves_the_program_its_time(user: User, develop: Callable[..., Development]) -> None:
    user.place.write({"app.py": SLOW})
    hr = develop("--grace", "60", "app.py")
    hr.wait_for("running")
    # `timeout`, `docker stop` with an init, and service managers do that.
    os.killpg(hr.process.pid, signal.SIGTERM)
    assert hr.wait() == -signal.SIGTERM, str(hr)
    assert hr.told("saved") == ["saved"]
    assert hr.told("error") == []


def wait_until_heard(hr: Development) -> None:
    """Wait until `hr` knows of the program, which may be quicker to say that it runs."""
    hr.save("other.py", "# A comment.\n")
    hr.wait_for("hr  other.py ")


@pytest.mark.parametrize("terminal", [True, False])
def test_an_interrupt_ends_the_program_with_its_own_clean_up(
    user: User, develop: Callable[..., Development], *, terminal: bool
) -> None:
    user.place.write({"app.py": CLEANS_UP, "other.py": ""})
    hr = develop("-v", "app.py", terminal=terminal)
    hr.wait_for("running")
    wait_until_heard(hr)
    if terminal:
        hr.interrupt()
        status = hr.wait()
    else:
        status = hr.end(signal.SIGINT)
    assert status == -signal.SIGINT
    assert len(hr.told("KeyboardInterrupt")) == 1
    assert len(hr.told("cleaned up")) == 1


def test_what_does_not_end_is_killed_with_all_it_has_started(
    user: User, develop: Callable[..., Development], address: Address
) -> None:
    user.place.write({"app.py": STUBBORN.format(version=1)})
    hr = develop("--grace", "0.3", "app.py", address.host, str(address.port))
    hr.wait_for("version 1")
    first = int(hr.wait_for("child ").split()[1])
    hr.save("app.py", STUBBORN.format(version=2))
    hr.wait_for("hr  app.py · re")
    # It could not have bound the port that the child had inherited.
    hr.wait_for("version 2")
    assert processes.has_ended(first)
    hr.wait_for("child ")
    assert hr.end(signal.SIGTERM) == -signal.SIGTERM
    assert address.is_free()
