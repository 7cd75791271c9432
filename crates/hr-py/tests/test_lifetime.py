"""Everything ends with the `with` block, however that is left; what the user forks stays apart."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from harness.project import APP

if TYPE_CHECKING:
    from harness.user import User


@pytest.mark.parametrize(
    ("way", "status", "complaint"),
    [("normally", 0, ""), ("exception", 1, "ValueError: left by an exception"), ("sys.exit", 6, "")],
)
def test_leaving_the_block_ends_every_run(user: User, way: str, status: int, complaint: str) -> None:
    """That no process is left is checked after every test."""
    user.place.write(APP)
    pipe = user.place.home / "pipe"
    os.mkfifo(pipe)
    done = user.run_script("leaving.py", way, str(pipe))
    assert done.returncode == status, done.stderr
    assert complaint in done.stderr
    assert ("left\n" in done.stdout) == (way == "normally")


def test_a_script_that_never_leaves_the_block_leaves_nothing(user: User) -> None:
    user.place.write(APP)
    done = user.run_script("forgotten.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "42\n"


def test_two_environments_at_once_have_templates_of_their_own(user: User) -> None:
    user.place.write(APP)
    user.place.write({name.replace("app/", "other/"): text for name, text in APP.items()})
    done = user.run_script("two_environments.py")
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert [parent == template for parent, template in seen.values()] == [True] * 3
    assert seen["first"] == seen["first, later"]
    assert seen["first"] != seen["second"]


def test_forks_of_the_user_and_of_runs_are_their_own_business(user: User) -> None:
    user.place.write(APP)
    done = user.run_script("forking.py")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [1, 2, 5, "parent"]
