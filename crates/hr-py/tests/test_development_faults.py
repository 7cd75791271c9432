"""Whatever is killed, missing or exhausted under ``hr run``: the work goes on if it can, and nothing is left."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
from harness import processes
from harness.loop import Loop

if TYPE_CHECKING:
    from harness.user import User

FAMILY = """
import os
import signal
import subprocess
import sys
import time

for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
with open(1, "w", closefd=False) as output:
    output.write(f"version 1 {os.getpid()} {os.getppid()} {child.pid}.\\n")
while True:
    time.sleep(0.1)
"""


class Started:
    """A loop with a program that has a child, and heeds nothing but SIGKILL."""

    def __init__(self, user: User) -> None:
        user.place.write({"program.py": FAMILY})
        self.loop = Loop(user, "program.py")
        self.look("version 1")

    def look(self, version: str) -> None:
        """Wait for a version, and ask it who it is."""
        self.loop.expect(version)
        self.run, self.template, self.child = map(int, self.loop.expect(".\n").split())
        parent = processes.process(self.template)
        assert parent is not None
        self.supervisor = parent.parent


@pytest.mark.parametrize("victim", ["hr", "supervisor", "template", "run", "child"])
def test_nothing_is_left_of_what_was_killed(user: User, victim: str) -> None:
    started = Started(user)
    pids = {
        "hr": started.loop.process.pid,
        "supervisor": started.supervisor,
        "template": started.template,
        "run": started.run,
        "child": started.child,
    }
    os.kill(pids[victim], signal.SIGKILL)
    if victim == "supervisor":
        # Either it says so and ends, or, if it lived long enough, is started again.
        started.loop.expect("supervisor")
    elif victim in {"template", "run"}:
        started.loop.expect("program.py has ended by SIGKILL · waiting for a change")
        user.place.write({"program.py": FAMILY.replace("version 1", "version 2")})
        started.look("version 2")
    if victim not in {"hr", "supervisor"}:
        os.kill(started.loop.process.pid, signal.SIGKILL)
    elif victim == "supervisor" and started.loop.process.poll() is None:
        started.loop.process.kill()
    started.loop.wait()
    started.loop.close()
    assert user.remaining() == []
    assert user.place.litter() == []


@pytest.mark.parametrize("victim", ["hr", "supervisor", "template"])
def test_nothing_is_left_of_what_was_killed_during_a_restart(user: User, victim: str) -> None:
    """The program does not heed the request to end, so that the restart takes as long as its grace."""
    started = Started(user)
    user.place.write({"program.py": FAMILY.replace("version 1", "version 2")})
    os.kill({"hr": started.loop.process.pid, **vars(started)}[victim], signal.SIGKILL)
    if victim == "template":
        started.look("version 2")
        started.loop.process.kill()
    elif victim == "supervisor":
        started.loop.expect("supervisor")
        started.loop.process.kill()
    started.loop.wait()
    started.loop.close()
    assert user.remaining() == []
    assert user.place.litter() == []


@pytest.mark.parametrize("victim", ["hr", "supervisor", "template"])
def test_nothing_is_left_of_what_was_killed_during_the_first_build(user: User, victim: str) -> None:
    announcement = user.place.home / "importing"
    os.mkfifo(announcement)
    user.environment.install_files(
        {
            "slow.py": f"""
import os, signal
with open({str(announcement)!r}, "w") as pipe:
    pipe.write(f"{{os.getpid()}} {{os.getppid()}}")
signal.pause()
"""
        }
    )
    user.place.write({"program.py": "import slow\n"})
    loop = Loop(user, "program.py")
    template, supervisor = map(int, announcement.read_text().split())
    # The module lies in the way of a fallback, too, which is then the program's own import.
    os.kill({"hr": loop.process.pid, "supervisor": supervisor, "template": template}[victim], signal.SIGKILL)
    if victim == "template":
        announcement.read_text()
        loop.process.kill()
    elif victim == "supervisor":
        loop.expect("supervisor")
        assert loop.wait() == 2
    loop.wait()
    loop.close()
    assert user.remaining() == []
    assert user.place.litter() == []


def test_the_project_is_removed_while_it_runs(user: User) -> None:
    started = Started(user)
    shutil.rmtree(user.place.project)
    assert started.loop.interrupt() == -signal.SIGINT
    assert user.remaining() == []
    started.loop.close()


def test_a_project_that_comes_back_is_taken_up_again(user: User) -> None:
    """As a checkout of another branch, or a synchronization, may do it."""
    started = Started(user)
    away = user.place.project.with_name("away")
    user.place.project.rename(away)
    away.rename(user.place.project)
    user.place.write({"program.py": FAMILY.replace("version 1", "version 2")})
    started.look("version 2")
    assert started.loop.interrupt() == -signal.SIGINT
    started.loop.close()


def test_a_project_that_cannot_be_written_to(user: User) -> None:
    user.place.write({"program.py": FAMILY})
    user.place.project.chmod(0o500)
    loop = Loop(user, "program.py", prepare=processes.drop_override)
    loop.expect("version 1")
    user.place.project.chmod(0o700)
    user.place.write({"program.py": FAMILY.replace("version 1", "version 2")})
    loop.expect("version 2")
    assert loop.interrupt() == -signal.SIGINT
    loop.close()


def few_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))


def test_few_descriptors_are_enough(user: User) -> None:
    user.place.write({"program.py": FAMILY})
    loop = Loop(user, "program.py", prepare=few_descriptors)
    for version in range(1, 12):
        loop.expect(f"version {version} ")
        user.place.write({"program.py": FAMILY.replace("version 1", f"version {version + 1}")})
    loop.expect("version 12 ")
    assert loop.interrupt() == -signal.SIGINT
    loop.close()


SILENT = """
import signal
signal.signal(signal.SIGINT, signal.SIG_DFL)
with open({announcement!r}, "w") as pipe:
    pipe.write("version 1")
signal.pause()
"""


def test_a_reader_that_does_not_read_holds_nothing_up(user: User) -> None:
    """What hr says is lost if the pipe is full; the program goes on, and is restarted."""
    announcement = user.place.home / "announcement"
    os.mkfifo(announcement)
    source = SILENT.format(announcement=str(announcement))
    user.place.write({"program.py": source})
    read, write = os.pipe()
    os.set_blocking(write, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(write, b"x" * 4096)
    os.set_blocking(write, True)
    loop = Loop(user, "program.py", stderr=write)
    assert announcement.read_text() == "version 1"
    user.place.write({"program.py": source.replace("version 1", "version 2")})
    assert announcement.read_text() == "version 2"
    assert loop.interrupt() == -signal.SIGINT
    for descriptor in (read, write):
        os.close(descriptor)
    loop.close()


def test_a_reader_that_is_gone_holds_nothing_up(user: User) -> None:
    announcement = user.place.home / "announcement"
    os.mkfifo(announcement)
    source = SILENT.format(announcement=str(announcement))
    user.place.write({"program.py": source})
    loop = Loop(user, "program.py")
    loop.close()
    assert announcement.read_text() == "version 1"
    user.place.write({"program.py": source.replace("version 1", "version 2")})
    assert announcement.read_text() == "version 2"
    assert loop.interrupt() == -signal.SIGINT


@pytest.mark.parametrize("limit", ["max_inotify_instances", "max_inotify_watches"])
def test_a_loop_without_events_says_so_and_runs_the_program(user: User, limit: str) -> None:
    """The limit holds in a namespace of the test's own."""
    lower = ["unshare", "--user", "--map-root-user", "sh", "-c", f'echo 0 > /proc/sys/user/{limit} && exec "$@"', "sh"]
    if not shutil.which("unshare") or subprocess.run([*lower, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs a user namespace")
    user.place.write({"program.py": FAMILY})
    loop = Loop(user, "program.py", before=lower)
    assert "inotify" in loop.expect("version 1")
    assert loop.interrupt() == -signal.SIGINT
    loop.close()
