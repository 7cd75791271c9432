"""After `kill -9` of any process, the caller gets an error at once, and nothing is left."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from harness import processes
from harness.project import APP

if TYPE_CHECKING:
    from harness.user import Session, User


class Busy:
    """An environment with a run that never ends by itself, and a caller who waits for it."""

    def __init__(self, user: User) -> None:
        user.place.write(APP)
        pipe = user.place.home / "pipe"
        os.mkfifo(pipe)
        self.session: Session = user.start()
        boot = self.session.ask("boot", package="app")
        self.template: int = boot["template"]
        self.supervisor: int = boot["supervisor"]
        started = self.session.ask("exec", run="busy", function="app.main:wait_for_ever", args=[str(pipe)], kwargs={})
        self.run: int = started["pid"]
        assert pipe.read_text() == str(self.run)
        self.session.send("communicate", run="busy")

    def answer(self) -> dict[str, Any]:
        """What a new run gives."""
        started = self.session.ask("exec", run="next", function="app.main:answer", args=[], kwargs={})
        return started if "raises" in started else self.session.ask("communicate", run="next")


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def test_the_run_is_killed(user: User) -> None:
    busy = Busy(user)
    kill(busy.run)
    answer = busy.session.receive()
    assert (answer["raises"], answer["signal"], answer["returncode"]) == ("RunExited", "SIGKILL", -9)
    assert busy.answer() == {"result": {"type": "int", "value": 42}}
    assert busy.session.ask("inspect")["template"] == busy.template
    assert busy.session.finish() == 0


def test_the_template_is_killed(user: User) -> None:
    busy = Busy(user)
    kill(busy.template)
    answer = busy.session.receive()
    assert (answer["raises"], answer["signal"]) == ("RunExited", "SIGKILL")
    assert busy.answer() == {"result": {"type": "int", "value": 42}}
    assert busy.session.ask("inspect")["template"] != busy.template
    assert busy.session.finish() == 0


@pytest.mark.parametrize("spares", [0, 1])
def test_a_template_that_is_killed_again_and_again_is_replaced_each_time(user: User, spares: int) -> None:
    """The next run is asked for at once, so that it meets a supervisor that may not know yet."""
    user.place.write(APP)
    session = user.start()
    templates: list[int] = [session.ask("boot", package="app", spares=spares)["template"]]
    for _ in range(20):
        kill(templates[-1])
        started = session.ask("exec", run="next", function="app.main:pids", args=[], kwargs={})
        assert "raises" not in started, started
        answer = session.ask("communicate", run="next")
        assert "raises" not in answer, answer
        templates.append(answer["result"]["value"][1])
    assert len(set(templates)) == len(templates)
    assert session.finish() == 0


def test_the_supervisor_is_killed(user: User) -> None:
    busy = Busy(user)
    kill(busy.supervisor)
    assert busy.session.receive()["raises"] == "SupervisorDied"
    assert busy.answer()["raises"] == "SupervisorDied"
    assert busy.session.ask("update")["raises"] == "SupervisorDied"
    assert user.remaining() == [], "nothing is left although the user's process goes on"
    assert user.place.litter() == []
    assert busy.session.finish() == 0


def test_the_users_process_is_killed(user: User) -> None:
    busy = Busy(user)
    kill(busy.session.process.pid)
    busy.session.process.wait(processes.LIMIT)
    assert user.remaining() == []
    assert user.place.litter() == []


def test_a_paused_template_and_its_supervisor_are_killed_together(user: User) -> None:
    busy = Busy(user)
    kill(busy.template)
    kill(busy.supervisor)
    assert busy.session.receive()["raises"] in {"SupervisorDied", "RunExited"}
    assert busy.answer()["raises"] == "SupervisorDied"
    assert busy.session.finish() == 0


@pytest.mark.parametrize("victim", ["template", "supervisor", "user"])
def test_grandchildren_end_as_well(user: User, victim: str) -> None:
    """A run has started a process in a session of its own, which no signal to a group would reach."""
    user.place.write(APP)
    user.place.write({"app/family.py": FAMILY})
    pipe = user.place.home / "pipe"
    os.mkfifo(pipe)
    session = user.start()
    boot = session.ask("boot", package="app")
    session.ask("exec", run="family", function="app.family:start", args=[str(pipe)], kwargs={})
    grandchild = int(pipe.read_text())
    kill({**boot, "user": session.process.pid}[victim])
    if victim == "user":
        session.process.wait(processes.LIMIT)
    else:
        session.ask("communicate", run="family")
        session.finish()
    assert user.remaining() == []
    assert processes.has_ended(grandchild)


FAMILY = """
import os
import signal
import subprocess
import sys

def start(announcement):
    command = [sys.executable, "-c", "import signal; print(1, flush=True); signal.pause()"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    child.stdout.readline()
    with open(announcement, "w") as pipe:
        pipe.write(str(child.pid))
    while True:
        signal.pause()
"""
