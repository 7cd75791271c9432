"""Whatever the user's process is like, an environment works in it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from harness import processes
from harness.project import APP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.user import User


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (0, 1, 2)])
def test_standard_streams_that_are_closed_stay_closed(user: User, closed: tuple[int, ...]) -> None:
    user.place.write(APP)
    report = user.place.home / "report"
    done = user.finish_script(user.start_script("closed_streams.py", str(report), closed=closed))
    assert done.returncode == 0, done.stderr
    told = json.loads(report.read_text())
    expected = [list(closed), [descriptor in closed for descriptor in range(3)]]
    assert told == {"user": expected, "runs": [expected] * 3, "user afterwards": expected}
    assert done.stdout == ("" if 1 in closed else "printed by a run\n" * 3)


def test_a_process_that_ignores_its_children_learns_how_runs_end(user: User) -> None:
    user.place.write(APP)
    done = user.run_script("ignored_children.py")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [42, 3, 7, -signal.SIGABRT]


MISSING = 200
TALKATIVE = {
    **APP,
    "app/missing.py": "".join(f"import library_that_nobody_has_{number}\n" for number in range(MISSING)),
}
"""A project that has a warning for each of its libraries, and more of them than a pipe takes."""


@contextmanager
def full_pipe() -> Iterator[int]:
    """The writing end of a pipe that is full and that nobody reads."""
    reader, writer = os.pipe()
    try:
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(writer, False)
        while True:
            try:
                os.write(writer, b"x" * 512)
            except BlockingIOError:
                break
        os.set_blocking(writer, True)
        yield writer
    finally:
        os.close(reader)
        os.close(writer)


def test_nobody_reads_stderr(user: User) -> None:
    user.place.write(TALKATIVE)
    with full_pipe() as stderr:
        done = user.finish_script(user.start_script("full_stderr.py", stderr=stderr))
        assert done.returncode == 0
        assert done.stdout == f"entered {MISSING}\nran 42\nleft\n"
        assert user.remaining() == []


def test_nobody_reads_stderr_and_the_users_process_is_killed(user: User) -> None:
    user.place.write(TALKATIVE)
    pipe = user.place.home / "pipe"
    os.mkfifo(pipe)
    with full_pipe() as stderr:
        child = user.start_script("full_stderr.py", str(pipe), stderr=stderr)
        pipe.read_text()
        child.kill()
        child.wait(processes.LIMIT)
        assert user.remaining() == []


def test_finished_runs_that_are_kept_hold_no_files(user: User) -> None:
    user.place.write(APP)
    done = user.run_script("many_runs.py")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["most"] == told["first"]
    assert told["kept"] == 300
    assert told["again"] == [0, 1]


def test_anything_may_stand_in_for_stdout(user: User) -> None:
    user.place.write(APP)
    done = user.run_script("replaced_stdout.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "0\n1\n2\n"


def test_a_pipe_that_programs_inherit_ends_when_the_user_closes_it(user: User) -> None:
    user.place.write(APP)
    done = user.run_script("inherited_pipe.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "42\nb''\n"


@pytest.mark.parametrize(
    "tuned", ["", "gc.set_threshold(5000, 7, 9)\n", "gc.disable()\n"], ids=["usual", "other", "none"]
)
def test_garbage_is_collected_as_without_a_template(user: User, tuned: str) -> None:
    user.environment.install_files({"tuned.py": f"import gc\n{tuned}"})
    user.place.write({"main.py": "import gc, json, tuned\nprint(gc.isenabled(), gc.get_threshold())\n"})
    python = [str(user.environment.python), "main.py"]
    plain = subprocess.run(python, cwd=user.place.project, capture_output=True, check=True, text=True)
    done = user.run_hr("run", "-q", "--no-reload", "main.py")
    assert (done.stdout, done.stderr) == (plain.stdout, "")
