"""What goes on from the past of a run comes to what a cold start comes to, whatever was edited."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest
from harness.caller import Caller
from harness.histories import Project, Reader, cold, cold_call
from harness.loop import Loop

if TYPE_CHECKING:
    from harness.user import User

EDITS = 8
"""Edits in one history."""

HISTORIES = int(os.environ.get("HISTORIES", "3"))
"""How many histories are tried; each has another program and other edits."""

FIRST = int(os.environ.get("FIRST_HISTORY", str(3 * sys.version_info.minor)))
"""The first of them. Each version of Python has its own if nothing else is asked for."""


@pytest.mark.parametrize("seed", range(FIRST, FIRST + HISTORIES))
def test_a_program_that_goes_on_has_executed_what_a_cold_start_executes(user: User, seed: int) -> None:
    project = Project(user.place.project, seed)
    loop = Loop(user, "-v", "--watch", "data/*", "main.py")
    reader = Reader(loop.output)
    history = [f"seed {seed}"]
    check(reader.until_state(), cold(user), history)
    for _ in range(EDITS):
        with loop.stopped():
            history.append(project.edit())
        check(reader.until_state(), cold(user), history + reader.said[-2:])
    assert loop.interrupt() in {130, -2, 1, 0}, history


@pytest.mark.parametrize("seed", range(FIRST, FIRST + HISTORIES))
def test_a_call_that_goes_on_has_executed_what_a_cold_one_executes(user: User, seed: int) -> None:
    project = Project(user.place.project, seed)
    caller = Caller(user, "app.entry")
    history = [f"seed {seed}"]
    for _ in range(EDITS):
        for _ in range(2):
            got = [line for line in caller.call("state") if not line.startswith("RAISED ")]
            check(got, cold_call(user), history)
        history.append(project.edit())
    caller.end()


def check(got: list[str], expected: list[str], history: list[str]) -> None:
    """Both have come to the same state, or the same end; of what was printed on the way, nothing came twice."""
    told = "\n".join(history)
    state, expected_state = states(got), states(expected)
    assert state == expected_state, told
    if expected_state is not None:
        got, expected = got[:-1], expected[:-1]
    whole = "".join([told, "\n--- got\n", *got, "--- expected\n", *expected])
    assert len(got) <= len(expected), whole
    assert got == expected[len(expected) - len(got) :], whole


def states(lines: list[str]) -> object:
    last = lines[-1] if lines else ""
    word, _, state = last.partition(" ")
    return json.loads(state) if word in {"STATE", "RETURNED"} else None
