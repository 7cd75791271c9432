"""The interface: its types, its errors, and what a run is."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from harness.project import APP

if TYPE_CHECKING:
    from harness.user import User


@pytest.fixture
def told(user: User) -> dict[str, list[str]]:
    user.place.write(APP)
    done = user.run_script("wrong_arguments.py")
    assert done.returncode == 0, done.stderr
    answer: dict[str, list[str]] = json.loads(done.stdout)
    return answer


def test_wrong_arguments_are_refused_before_any_process_starts(told: dict[str, list[str]]) -> None:
    expected = {
        "package: int": "TypeError",
        "package: bytes": "TypeError",
        "package: empty": "ValueError",
        "package: no name": "ValueError",
        "package: relative": "ValueError",
        "ignored_modules: int": "TypeError",
        "ignored_modules: str": "TypeError",
        "ignored_modules: of int": "TypeError",
        "ignored_modules: no name": "ValueError",
        "preload: str": "TypeError",
        "preload: no name": "ValueError",
        "preload: ignored": "ValueError",
        "import_limit: str": "TypeError",
        "import_limit: zero": "ValueError",
        "import_limit: no number": "ValueError",
        "on_event: int": "TypeError",
        "spares: str": "TypeError",
        "spares: float": "TypeError",
        "spares: bool": "TypeError",
        "spares: negative": "ValueError",
        "spares: too many": "ValueError",
        "unknown keyword": "TypeError",
        "function: int": "TypeError",
        "name: int": "TypeError",
        "argument: lock": "UnpicklableError",
        "communicate: int": "TypeError",
        "stop: int": "TypeError",
        "communicate: of another environment": "ValueError",
        "stop: of another environment": "ValueError",
        "exec: closed": "EnvironmentClosed",
        "update: closed": "EnvironmentClosed",
    }
    assert {label: told[label][0] for label in expected} == expected
    assert {label: words[2:] for label, words in told.items() if len(words) > 2} == {}
    assert told["still works"] == ["42"]
    assert "lock" in told["argument: lock"][1]
    assert "ignored_modules" in told["ignored_modules: str"][1]
    assert "spares" in told["spares: negative"][1]
    assert "preload" in told["preload: str"][1]


def test_a_process_knows_its_name_its_identifier_and_its_pid(user: User) -> None:
    user.place.write(APP)
    session = user.start()
    boot = session.ask("boot", package="app")
    named = session.ask("exec", run="named", function="app.main:pids", args=[], kwargs={}, name="mine")
    other = session.ask("exec", run="other", function="app.main:pids", args=[], kwargs={})
    pid, parent = session.ask("communicate", run="named")["result"]["value"]
    assert (pid, parent) == (named["pid"], boot["template"])
    assert named["name"] == "mine"
    assert other["name"]
    assert uuid.UUID(named["uuid"]) != uuid.UUID(other["uuid"])
    assert session.finish() == 0


@pytest.mark.parametrize("form", ["app", "{project}/app", "{project}", "."])
def test_a_package_is_given_by_name_or_by_path(user: User, form: str) -> None:
    user.place.write(APP)
    session = user.start()
    boot = session.ask("boot", package=form.format(project=user.place.project))
    assert "raises" not in boot, boot
    assert "json" in boot["modules"]
    assert run_to_end(session, "app.main:answer") == 42
    assert session.finish() == 0


def test_an_unknown_path_is_an_import_error_that_names_it(user: User) -> None:
    session = user.start()
    boot = session.ask("boot", package=str(user.place.project / "nowhere"))
    assert boot["raises"] == "ImportError"
    assert "nowhere" in boot["message"]
    assert session.process.wait() == 0


def test_a_finished_run_cannot_be_stopped(user: User) -> None:
    user.place.write(APP)
    session = user.start()
    session.ask("boot", package="app")
    assert run_to_end(session, "app.main:answer") == 42
    assert session.ask("stop", run="run") == {"stopped": False}
    assert session.finish() == 0


def test_a_run_reads_what_its_caller_would_have_read(user: User) -> None:
    user.place.write(APP)
    done = user.run_script("reading.py", stdin="Ada\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "name? run read Ada\n"


def test_output_of_a_run_is_captured_by_pytest(
    user: User, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """In this very process, which is a user's as well."""
    import hotreload

    user.place.write(APP)
    for name, value in user.variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(user.place.project))
    with hotreload.isolate_imports("app") as environment:
        capfd.readouterr()
        process = environment.exec(print, "from a run")
        assert environment.communicate_isolated(process) is None
        assert capfd.readouterr().out == "from a run\n"


def run_to_end(session: Any, function: str) -> Any:
    started = session.ask("exec", run="run", function=function, args=[], kwargs={})
    assert "raises" not in started, started
    answer = session.ask("communicate", run="run")
    assert "raises" not in answer, answer
    return answer["result"]["value"]
