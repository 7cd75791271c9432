"""Waiting for runs: from threads, interrupted, more than once."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest
from harness.project import APP

if TYPE_CHECKING:
    from pathlib import Path

    from harness.user import User


@pytest.fixture
def pipe(user: User) -> Path:
    """A named pipe."""
    path = user.place.home / "pipe"
    os.mkfifo(path)
    return path


def test_threads_share_an_environment(user: User) -> None:
    user.place.write(APP)
    done = user.run_script("threads.py")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[thread * 100 + number for number in range(5)] for thread in range(8)]


def test_other_threads_go_on_while_one_waits(user: User, pipe: Path) -> None:
    user.place.write(APP)
    done = user.run_script("gil.py", str(pipe))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "released\n"


@pytest.mark.parametrize("whom", ["the user's process", "the whole foreground job"])
def test_ctrl_c_interrupts_waiting_and_nothing_else(user: User, pipe: Path, whom: str) -> None:
    user.place.write(APP)
    child = user.start_script("interrupted.py", str(pipe))
    assert child.stdout is not None
    assert child.stdout.readline() == "waiting\n"
    pipe.read_text()
    if whom == "the user's process":
        os.kill(child.pid, signal.SIGINT)
    else:
        os.killpg(child.pid, signal.SIGINT)
    done = user.finish_script(child)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "interrupted\nstopped True\nnext 42\nsame template True\n"


def test_waiting_twice_gives_the_same_answer_twice(user: User) -> None:
    user.place.write(APP)
    session = user.start()
    session.ask("boot", package="app")
    session.ask("exec", run="run", function="app.main:answer", args=[7], kwargs={})
    first = session.ask("communicate", run="run")
    assert first == {"result": {"type": "int", "value": 7}}
    assert session.ask("communicate", run="run") == first
    assert session.finish() == 0


def test_runs_that_nobody_waits_for_are_no_burden(user: User) -> None:
    user.place.write(APP)
    session = user.start()
    session.ask("boot", package="app")
    for number in range(5):
        session.ask("exec", run=f"forgotten {number}", function="app.main:answer", args=[], kwargs={})
    session.ask("exec", run="last", function="app.main:answer", args=["last"], kwargs={})
    assert session.ask("communicate", run="last")["result"]["value"] == "last"
    assert session.finish() == 0
