"""What goes on from the past of a run comes to what a cold start comes to, whatever was edited.

A failure is made smaller until nothing can be left out of the program and its edits, and printed with all of its files.
`HISTORIES=500 FIRST_HISTORY=100 pytest -k test_checkpoints` tries 500 of each kind that no other number has tried.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from harness.caller import Caller
from harness.histories import Project, Reader, cold, cold_call
from harness.loop import Loop
from hypothesis import HealthCheck, Phase, given, seed, settings, strategies

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from harness.user import User

EDITS = 8
"""The most edits in one history."""

HISTORIES = int(os.environ.get("HISTORIES", "4"))
"""How many histories are tried; each has another program and other edits."""

FIRST = int(os.environ.get("FIRST_HISTORY", str(sys.version_info.minor)))
"""Which of all there could be. Each version of Python has its own if nothing else is asked for."""


def histories(test: Callable[..., None]) -> Callable[..., None]:
    """Let a test choose its way through some histories."""
    choices = strategies.randoms(use_true_random=False)
    tried = settings(
        max_examples=HISTORIES,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    return seed(FIRST)(tried(given(choices=choices)(test)))


@histories
def test_a_program_that_goes_on_has_executed_what_a_cold_start_executes(user: User, choices: random.Random) -> None:
    tell_differences(play_program, user, Project(user.place.project, choices))


def play_program(user: User, project: Project) -> None:
    with contextlib.closing(Loop(user, "-v", "--watch", "data/*", "main.py")) as loop:
        reader = Reader(loop.output)
        check(reader.until_state(), cold(user))
        for _ in range(EDITS):
            with loop.stopped():
                if not project.edit():
                    break
            check(reader.until_state(), cold(user))
        assert loop.interrupt() in {130, -2, 1, 0}


@histories
def test_a_call_that_goes_on_has_executed_what_a_cold_one_executes(user: User, choices: random.Random) -> None:
    tell_differences(play_calls, user, Project(user.place.project, choices))


def play_calls(user: User, project: Project) -> None:
    caller = Caller(user, "app.entry")
    for _ in range(EDITS):
        for _ in range(2):
            got = [line for line in caller.call("state") if not line.startswith("RAISED ")]
            check(got, cold_call(user))
        if not project.edit():
            break
    caller.end()


def tell_differences(play: Callable[[User, Project], None], user: User, project: Project) -> None:
    """Play a history, and leave nothing behind for the next one, not even if it has to be broken off."""
    try:
        play(user, project)
    except AssertionError as error:
        user.end()
        raise AssertionError(project.story()) from error
    except BaseException:  # that of Hypothesis, when this way does not lead to a history
        user.end()
        raise


def check(got: list[str], expected: list[str]) -> None:
    """Both have come to the same state, or the same end; of what was printed on the way, nothing came twice."""
    state, expected_state = states(got), states(expected)
    assert state == expected_state
    if expected_state is not None:
        got, expected = got[:-1], expected[:-1]
    whole = "".join(["--- got\n", *got, "--- expected\n", *expected])
    assert len(got) <= len(expected), whole
    assert got == expected[len(expected) - len(got) :], whole


def states(lines: list[str]) -> Any:
    last = lines[-1] if lines else ""
    word, _, state = last.partition(" ")
    return json.loads(state) if word in {"STATE", "RETURNED"} else None


def test_a_difference_would_be_told() -> None:
    with pytest.raises(AssertionError, match="printed"):
        check(["printed\n", "printed\n", "STATE 1\n"], ["printed\n", "STATE 1\n"])
    with pytest.raises(AssertionError):
        check(["STATE 1\n"], ["STATE 2\n"])
