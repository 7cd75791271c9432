"""Templates and layers as a tree: what a change makes useless goes, and nothing that is left is imported again."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from harness import processes

if TYPE_CHECKING:
    from pathlib import Path

    from harness.user import Session, User


CLOCK_TICK = 0.03
"""Seconds by which a file's time may lie behind the clock, with room to spare."""


class Libraries:
    """Installed libraries that keep a record of their imports."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.record = user.place.home / "imports"

    def install(self, name: str, text: str = "") -> Path:
        """Write the library `name`, with more lines of `text`."""
        file = self.user.environment.site_packages / f"{name}.py"
        file.write_text(f"with open({str(self.record)!r}, 'a') as record:\n    print({name!r}, file=record)\n{text}")
        # Until the file's time tells that it is not being written any more: before that, no template relies on it.
        while time.time() - file.stat().st_ctime < CLOCK_TICK:
            time.sleep(CLOCK_TICK / 10)
        return file

    def imported(self) -> list[str]:
        """The imports since the last call."""
        names = self.record.read_text().split() if self.record.exists() else []
        self.record.write_text("")
        return names


LOADED = "lambda: __import__('app.main').main.loaded()"
"""A function that only a run evaluates: the driver would import `app.main` to name one of its functions."""


def importing(*names: str) -> dict[str, str]:
    """A project that imports these."""
    lines = "".join(f"import {name}\n" for name in names)
    return {
        "app/__init__.py": "",
        "app/main.py": f"import os, sys\n{lines}\ndef loaded():\n    return sorted(sys.modules)\n",
    }


def value(session: Session, function: str) -> Any:
    """What a function returns in a run."""
    session.ask("exec", run="run", function=function, args=[], kwargs={})
    return session.ask("communicate", run="run")["result"]["value"]


def wait_until_gone(pid: int) -> None:
    """Wait for the end of a template that was replaced."""
    processes.wait_until_gone([pid], time.monotonic() + processes.LIMIT)
    assert processes.has_ended(pid)


def test_a_new_import_is_the_only_one_that_is_executed(user: User) -> None:
    libraries = Libraries(user)
    for name in ("first", "second", "third"):
        libraries.install(name)
    user.place.write(importing("first"))
    session = user.start()
    session.ask("boot", package="app")
    assert libraries.imported() == ["first"]
    for number, name in enumerate(["second", "third"], start=2):
        user.place.write(importing(*["first", "second", "third"][:number]))
        assert session.ask("update")["added"] == [name]
        assert libraries.imported() == [name]
        assert "first" in value(session, LOADED)
        assert libraries.imported() == []
    assert session.finish() == 0


def test_a_change_costs_only_the_layers_that_have_consumed_it(user: User) -> None:
    libraries = Libraries(user)
    libraries.install("first")
    second = libraries.install("second", "VALUE = 1\n")
    user.place.write(importing("first"))
    session = user.start()
    session.ask("boot", package="app")
    user.place.write(importing("first", "second"))
    session.ask("update")
    libraries.imported()

    libraries.install("second", "VALUE = 22\n")
    report = session.ask("update")
    assert report["changed"]
    assert report["files"] == [str(second)]
    assert libraries.imported() == ["second"], "what lies below the layer is not imported again"
    assert value(session, "lambda: __import__('second').VALUE") == 22

    libraries.install("first", "VALUE = 1\n")
    assert session.ask("update")["changed"]
    assert sorted(libraries.imported()) == ["first", "second"], "a layer does not outlive what it stands on"
    assert session.finish() == 0


def test_a_run_starts_from_what_is_left_when_a_layer_is_outdated(user: User) -> None:
    libraries = Libraries(user)
    libraries.install("first")
    libraries.install("second", "VALUE = 1\n")
    user.place.write(importing("first"))
    session = user.start()
    session.ask("boot", package="app")
    user.place.write(importing("first", "second"))
    session.ask("update")
    libraries.imported()

    libraries.install("second", "VALUE = 22\n")
    assert value(session, "lambda: __import__('second').VALUE") == 22
    assert "first" not in libraries.imported()
    assert session.finish() == 0


def test_a_removed_import_leaves_runs_undisturbed_and_the_template_in_the_end(user: User) -> None:
    libraries = Libraries(user)
    for name in ("first", "second"):
        libraries.install(name)
    user.place.write(importing("first", "second"))
    pipe = user.place.home / "pipe"
    os.mkfifo(pipe)
    session = user.start()
    large = session.ask("boot", package="app")["template"]
    session.ask("exec", run="long", function=f"lambda: open({str(pipe)!r}).read()", args=[], kwargs={})

    user.place.write(importing("first"))
    report = session.ask("update")
    assert (report["changed"], report["removed"]) == (False, ["second"])
    assert "first" in value(session, LOADED)

    pipe.write_text("undisturbed")
    assert session.ask("communicate", run="long")["result"]["value"] == "undisturbed"
    wait_until_gone(large)
    assert "second" not in session.ask("inspect")["modules"]
    loaded = value(session, LOADED)
    assert "first" in loaded
    assert "second" not in loaded
    assert session.ask("update")["changed"] is False
    assert session.finish() == 0


def test_layers_are_merged_when_there_are_many(user: User) -> None:
    libraries = Libraries(user)
    names = [f"library{number}" for number in range(10)]
    for name in names:
        libraries.install(name)
    user.place.write(importing(names[0]))
    session = user.start()
    bottom = session.ask("boot", package="app")["template"]
    for number in range(2, len(names) + 1):
        user.place.write(importing(*names[:number]))
        session.ask("update")
    wait_until_gone(bottom)
    assert set(names) <= set(value(session, LOADED))
    assert session.finish() == 0


def test_environments_that_differ_in_what_was_read_have_templates_of_their_own(user: User) -> None:
    libraries = Libraries(user)
    libraries.install("reader", "import os\nCOLOUR = os.environ.get('COLOUR')\n")
    user.place.write(importing("reader"))
    session = user.start()
    session.ask("boot", package="app")
    libraries.imported()
    colour = "lambda: (__import__('reader').COLOUR, os.getppid())"
    seen: dict[str, set[int]] = {}
    for name in ["red", "blue", "red", "blue", "red"]:
        session.ask("set_environment", variables={"COLOUR": name, "OTHER": f"{name} too"})
        read, template = value(session, colour)
        assert read == name
        seen.setdefault(name, set()).add(template)
    assert all(len(templates) == 1 for templates in seen.values()), seen
    assert libraries.imported() == ["reader", "reader"]
    session.ask("set_environment", variables={"OTHER": "something else"})
    assert value(session, colour)[1] in seen["red"], "nothing has read this variable"
    assert session.finish() == 0
