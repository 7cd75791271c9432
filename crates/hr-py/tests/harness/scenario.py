"""Scenarios: run → edit → expect, written down in `fixtures/scenarios/<case>/scenario.toml`.

`fixtures/scenarios/README.md` describes the format. A key that it does not know is an error, so that a
misspelt expectation cannot pass.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.environment import FIXTURES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harness.environment import VirtualEnvironment
    from harness.user import Place, Session, User

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SCENARIOS = FIXTURES / "scenarios"

OPTIONS = ("ignored_modules", "preload", "import_limit")
"""Keys that `isolate_imports` gets as they are."""

KEYS = {
    *OPTIONS,
    "title",
    "package",
    "define",
    "external_package",
    "files",
    "latin_1",
    "third_party",
    "modes",
    "boot",
    "step",
    "end",
}
STEP_KEYS = {
    "run",
    "args",
    "kwargs",
    "name",
    "count",
    "start",
    "as",
    "announce",
    "communicate",
    "stop",
    "update",
    "say",
    "edit",
    "remove",
    "replace",
    "edit_third_party",
    "begin_second",
    "keep_times",
    "set_environment",
    "expect",
}


@dataclass
class Scenario:
    """One case, as it stands in its file."""

    folder: Path
    data: dict[str, Any] = field(repr=False)

    @classmethod
    def read(cls, folder: Path) -> Scenario:
        """Read and check a case."""
        data = tomllib.loads((folder / "scenario.toml").read_text(encoding="utf-8"))
        refuse_unknown(data, KEYS, str(folder))
        for step in data.get("step", ()):
            refuse_unknown(step, STEP_KEYS, f"{folder}: {step}")
        if not data.get("title"):
            raise ValueError(f"{folder}: a scenario needs a title")
        return cls(folder, data)

    def lay_out(self, place: Place, environment: VirtualEnvironment) -> None:
        """Write the project and install its libraries."""
        tree = self.folder / "tree"
        place.write({str(path.relative_to(tree)): path.read_text() for path in tree.rglob("*") if path.is_file()})
        place.write(self.data.get("files", {}))
        for name, text in self.data.get("latin_1", {}).items():
            path = place.project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("latin-1"))
        for name, mode in self.data.get("modes", {}).items():
            (place.project / name).chmod(mode)
        if self.data.get("external_package"):
            environment.install_external_package()
        write_third_party(environment, self.data.get("third_party", {}))


class Player:
    """Plays one scenario against a user's process."""

    def __init__(self, scenario: Scenario, user: User) -> None:
        self.data = scenario.data
        self.user = user
        self.project = user.place.project
        self.session: Session
        self.template = 0

    def play(self) -> None:
        """Boot, take every step, leave the `with` block, and look at what was written."""
        self.session = self.user.start(bound_by_modes="modes" in self.data)
        boots = self._boot()
        if boots:
            self._check_template()
            for number, step in enumerate(self.data.get("step", ()), start=1):
                self._step(step, f"step {number}")
            self._check_template()
        status = self.session.finish()
        stderr = self.session.stderr.read_text(errors="replace")
        assert status == 0, stderr
        self._end(stderr)

    def _boot(self) -> bool:
        options = {"package": self.data.get("package", "app"), "define": self.data.get("define", "")}
        options |= {name: self.data[name] for name in OPTIONS if name in self.data}
        answer = self.session.ask("boot", **options)
        expected = self.data.get("boot", {})
        if "raises" not in expected:
            assert "raises" not in answer, answer
            self.template = answer["template"]
        self._expect(expected, answer, "boot")
        return "raises" not in answer

    def _check_template(self) -> None:
        """No first-party module is ever in a template: a run by value shows what its template holds."""
        self.session.ask("exec", run="modules", function="lambda: set(__import__('sys').modules)", args=[], kwargs={})
        loaded = self.session.ask("communicate", run="modules")["result"]["value"]
        own = {path.stem for path in self.project.iterdir()}
        found = sorted(name for name in loaded if name.partition(".")[0] in own)
        assert not found, f"first-party modules in a template: {found}"

    def _step(self, step: dict[str, Any], label: str) -> None:
        expected = step.get("expect", {})
        self._edit(step)
        answer: dict[str, Any] = {}
        if "run" in step:
            answer = self._run(step)
        elif "start" in step:
            answer = self._start(step, step["as"], step["start"])
            if "announce" in step:
                answer["announced"] = self._announcement()
        elif "communicate" in step:
            answer = self.session.ask("communicate", run=step["communicate"])
        elif "stop" in step:
            answer = self.session.ask("stop", run=step["stop"])
        elif "update" in step:
            answer = self.session.ask("update")
        elif "say" in step:
            answer = self.session.ask("say", text=step["say"])
        self._expect(expected, answer, label)

    def _edit(self, step: dict[str, Any]) -> None:
        if step.get("begin_second"):
            time.sleep(1 - time.time() % 1)
        self._write(step.get("edit", {}), keep_times=step.get("keep_times", False))
        for name in step.get("remove", ()):
            (self.project / name).unlink()
        if "replace" in step:
            path = self.project / step["replace"]["file"]
            text = path.read_text()
            assert step["replace"]["old"] in text, f"{path.name} has no {step['replace']['old']!r}"
            path.write_text(text.replace(step["replace"]["old"], step["replace"]["new"]))
        write_third_party(self.user.environment, step.get("edit_third_party", {}))
        if "set_environment" in step:
            self.session.ask("set_environment", variables=step["set_environment"])

    def _write(self, files: dict[str, str], *, keep_times: bool) -> None:
        times = {path: path.stat() for path in map(self.project.joinpath, files) if keep_times}
        self.user.place.write(files)
        for path, before in times.items():
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def _run(self, step: dict[str, Any]) -> dict[str, Any]:
        """One run, or `count` at once: those get their number as first argument."""
        if "count" not in step:
            started = self._start(step, "run", step["run"])
            return started if "raises" in started else self.session.ask("communicate", run="run")
        numbers = range(step["count"])
        pids = {
            self._start({**step, "args": [number, *step.get("args", ())]}, f"run {number}", step["run"])["pid"]
            for number in numbers
        }
        answers = [self.session.ask("communicate", run=f"run {number}") for number in numbers]
        assert len(pids) == step["count"], "every run is a process of its own"
        return {"results": [answer["result"]["value"] for answer in answers]}

    def _start(self, step: dict[str, Any], run: str, function: str) -> dict[str, Any]:
        if "announce" in step:
            os.mkfifo(self._fifo)
        return self.session.ask(
            "exec",
            run=run,
            function=function,
            args=[str(self._fifo) if value == "{fifo}" else value for value in step.get("args", ())],
            kwargs=step.get("kwargs", {}),
            name=step.get("name"),
        )

    @property
    def _fifo(self) -> Path:
        return self.user.place.home / "announcement"

    def _announcement(self) -> str:
        """Wait for what a run writes into the named pipe that it was given."""
        try:
            return self._fifo.read_text()
        finally:
            self._fifo.unlink()

    def _end(self, stderr: str) -> None:
        expected = self.data.get("end", {})
        refuse_unknown(expected, {"stdout", "stderr_once", "stderr_contains", "stderr_lacks"}, "end")
        if "stdout" in expected:
            assert self.session.stdout.read_text() == expected["stdout"]
        for text in expected.get("stderr_once", ()):
            lines = [line for line in stderr.splitlines() if text in line]
            assert len(lines) == 1, f"{text!r} is on {len(lines)} lines of stderr:\n{stderr}"
        for text in expected.get("stderr_contains", ()):
            assert text in stderr, stderr
        for text in expected.get("stderr_lacks", ()):
            assert text not in stderr, stderr

    def _expect(self, expected: dict[str, Any], answer: dict[str, Any], label: str) -> None:
        if "raises" in answer and "raises" not in expected:
            raise AssertionError(f"{label} raised {answer['raises']}: {answer['message']}\n{answer['traceback']}")
        for key, value in expected.items():
            if key == "template":
                self._expect_template(value, label)
            else:
                problem = mismatch(key, value, answer)
                assert problem is None, f"{label}: {problem}\nthe answer was {answer}"

    def _expect_template(self, which: str, label: str) -> None:
        before, self.template = self.template, self.session.ask("inspect")["template"]
        assert which in {"same", "new"}, f"{label}: a template is the same or new, not {which!r}"
        assert (self.template == before) == (which == "same"), f"{label}: {before} became {self.template}"


def mismatch(key: str, expected: Any, answer: dict[str, Any]) -> str | None:
    """What is wrong with an answer, judged by one expectation."""
    if key in {"result", "type", "length", "sha256"}:
        actual = answer.get("result", {}).get("value" if key == "result" else key)
        return None if actual == expected else f"{key} is {actual!r}, not {expected!r}"
    if key in {"problems", "excluded"}:
        return entries_mismatch(key, expected, answer.get(key, []))
    name, _, relation = key.rpartition("_")
    if relation in {"contains", "lacks"}:
        if name not in answer:
            return f"there is no {name}"
        wrong = [part for part in expected if (part in answer[name]) != (relation == "contains")]
        return None if not wrong else f"{name} should {relation.rstrip('s')} {wrong}"
    if key not in answer:
        return f"there is no {key}"
    return None if answer[key] == expected else f"{key} is {answer[key]!r}, not {expected!r}"


def entries_mismatch(key: str, expected: list[dict[str, Any]], actual: list[dict[str, Any]]) -> str | None:
    """Compare reported entries one to one; files are given by the end of their paths."""

    def fits(wanted: dict[str, Any], entry: dict[str, Any]) -> bool:
        return all(
            str(entry[name]).endswith(value) if name == "file" else entry[name] == value
            for name, value in wanted.items()
        )

    if len(actual) == len(expected) and all(any(fits(wanted, entry) for entry in actual) for wanted in expected):
        return None
    return f"{key} are {actual}, not {expected}"


def write_third_party(environment: VirtualEnvironment, files: dict[str, str]) -> None:
    """Write files of installed libraries."""
    for name, text in files.items():
        path = environment.site_packages / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def refuse_unknown(table: dict[str, Any], known: Iterable[str], where: str) -> None:
    """A key that nobody reads is a mistake."""
    unknown = set(table) - set(known)
    if unknown:
        raise ValueError(f"{where}: unknown {', '.join(sorted(unknown))}")
