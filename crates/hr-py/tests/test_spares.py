"""Processes that are forked ahead of time and wait for a run."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from harness import processes

if TYPE_CHECKING:
    from harness.user import Session, User

PROJECT = {"app/__init__.py": ""}
"""It imports nothing, so that its template has no reason to fork but for spares and runs."""


def opened(user: User, spares: int) -> tuple[Session, int]:
    """An environment with so many spares, and its template."""
    user.place.write(PROJECT)
    session = user.start()
    return session, session.ask("boot", package="app", spares=spares)["template"]


def pids(session: Session, run: str = "run") -> tuple[int, int]:
    """Lets a run tell its process id and that of its template."""
    session.ask("exec", run=run, function="lambda: (os.getpid(), os.getppid())", args=[], kwargs={})
    pid, template = session.ask("communicate", run=run)["result"]["value"]
    return pid, template


@pytest.mark.parametrize("number", [1, 3])
def test_as_many_spares_wait_as_were_asked_for(user: User, number: int) -> None:
    session, template = opened(user, number)
    for _ in range(3):
        waiting = processes.wait_for_children(template, number)
        assert len(waiting) == number
        pid, parent = pids(session)
        assert pid in waiting, "a run is a spare that has got its call"
        assert parent == template
    assert session.finish() == 0


def test_without_spares_nothing_is_forked_before_it_is_needed(user: User) -> None:
    session, template = opened(user, 0)
    for _ in range(3):
        assert processes.children(template) == set()
        assert pids(session)[1] == template
    assert session.finish() == 0


@pytest.mark.parametrize("number", [0, 1, 3])
def test_runs_that_outnumber_the_spares_are_processes_of_their_own(user: User, number: int) -> None:
    session, template = opened(user, number)
    processes.wait_for_children(template, number)
    names = [f"run {run}" for run in range(8)]
    for name in names:
        session.ask("exec", run=name, function="lambda: (os.getpid(), os.getppid())", args=[], kwargs={})
    answers = [session.ask("communicate", run=name)["result"]["value"] for name in names]
    assert len({pid for pid, _ in answers}) == len(names)
    assert {parent for _, parent in answers} == {template}
    assert session.finish() == 0


@pytest.mark.parametrize("number", [1, 3])
def test_spares_that_are_killed_are_no_loss(user: User, number: int) -> None:
    session, template = opened(user, number)
    for _ in range(10):
        waiting = processes.wait_for_children(template, number)
        for spare in waiting:
            os.kill(spare, signal.SIGKILL)
        pid, parent = pids(session)
        assert pid not in waiting
        assert parent == template
    assert session.finish() == 0


def test_a_spare_sees_what_was_edited_while_it_waited(user: User) -> None:
    session, template = opened(user, 1)
    waiting = processes.wait_for_children(template, 1)
    user.place.write({"app/later.py": "def answer():\n    return 'written later'\n"})
    started = session.ask("exec", run="later", function="app.later:answer", args=[], kwargs={})
    assert started["pid"] in waiting
    assert session.ask("communicate", run="later")["result"]["value"] == "written later"
    assert session.finish() == 0
