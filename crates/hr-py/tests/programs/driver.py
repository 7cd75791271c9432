"""A user's program that does what it is asked over a pipe. It is started by path, so that it is `__main__`.

Requests and answers are JSON lines. Only the public interface of hotreload is used here.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import signal
import sys
from typing import Any

import hotreload

LARGE = 1000
"""Values longer than this travel as their length and digest."""


def described(value: Any) -> dict[str, Any]:
    """A result as JSON: its type, and the value or, when large, its length and digest."""
    description: dict[str, Any] = {"type": type(value).__name__}
    if isinstance(value, (bytes, str)) and len(value) > LARGE:
        data = value if isinstance(value, bytes) else value.encode()
        description |= {"length": len(value), "sha256": hashlib.sha256(data).hexdigest()}
    elif isinstance(value, bytes):
        description["value"] = value.decode("latin-1")
    elif isinstance(value, (set, frozenset)):
        description["value"] = sorted(value)
    else:
        try:
            json.dumps(value)
            description["value"] = value
        except TypeError:
            description["value"] = repr(value)
    return description


def failure(error: BaseException) -> dict[str, Any]:
    """An exception as JSON."""
    cause = error.__cause__
    description: dict[str, Any] = {
        "raises": type(error).__name__,
        "bases": [base.__name__ for base in type(error).__mro__],
        "message": str(error),
        "cause": type(cause).__name__ if cause is not None else None,
        "traceback": str(cause) if cause is not None else "",
    }
    if isinstance(error, hotreload.RunExited):
        name = error.signal.name if isinstance(error.signal, signal.Signals) else None
        description |= {"returncode": error.returncode, "signal": name, "system_exit": error.system_exit}
    return description


def excluded(entries: tuple[hotreload.ExcludedModule, ...]) -> list[dict[str, Any]]:
    """Modules that the template lacks, as JSON."""
    return [
        {"module": entry.module, "cause": entry.cause, "file": str(entry.file), "line": entry.line} for entry in entries
    ]


def problems(entries: tuple[hotreload.Problem, ...]) -> list[dict[str, Any]]:
    """Files that could not be read or parsed, as JSON."""
    return [
        {"file": str(entry.file), "line": entry.line, "column": entry.column, "message": entry.message}
        for entry in entries
    ]


class Driver:
    """The user's `with` block: one environment, and the runs that were started in it."""

    def __init__(self, environment: hotreload.IsolatedEnvironment) -> None:
        self.environment = environment
        self.runs: dict[str, hotreload.IsolatedProcess] = {}

    def state(self) -> dict[str, Any]:
        """What the environment says of itself."""
        environment = self.environment
        return {
            "template": environment.template_pid,
            "supervisor": environment.supervisor_pid,
            "modules": list(environment.modules),
            "excluded": excluded(environment.excluded),
            "problems": problems(environment.problems),
        }

    def exec(
        self, run: str, function: str, args: list[Any], kwargs: dict[str, Any], name: str | None = None
    ) -> dict[str, Any]:
        """Start a run of a function: `module:name`, or an expression for one that travels by value."""
        process = self.environment.exec(resolved(function), *args, name=name, **kwargs)
        self.runs[run] = process
        return {"pid": process.pid, "name": process.process_name, "uuid": process.process_uuid}

    def communicate(self, run: str) -> dict[str, Any]:
        return {"result": described(self.environment.communicate_isolated(self.runs[run]))}

    def stop(self, run: str) -> dict[str, Any]:
        return {"stopped": self.environment.stop_isolated(self.runs[run])}

    def update(self) -> dict[str, Any]:
        report = self.environment.update_environment()
        return {
            "changed": report.changed,
            "truth": bool(report),
            "added": list(report.added),
            "removed": list(report.removed),
            "files": [str(file) for file in report.files],
            "reason": report.reason,
            "problems": problems(report.problems),
            "excluded": excluded(report.excluded),
        }

    def say(self, text: str) -> dict[str, Any]:
        print(text, flush=True)
        return {}

    def set_environment(self, variables: dict[str, str]) -> dict[str, Any]:
        os.environ.update(variables)
        return {}

    def inspect(self) -> dict[str, Any]:
        return self.state()


def resolved(function: str) -> Any:
    """`module:name` is imported, as a user would; anything else is an expression, evaluated in `__main__`."""
    module, separator, name = function.partition(":")
    if separator and module.replace(".", "").isidentifier() and name.isidentifier():
        return getattr(importlib.import_module(module), name)
    return eval(function, globals())  # noqa: S307 - the expressions are the tests' own


def requests(descriptor: int) -> Any:
    with os.fdopen(descriptor, encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def main() -> None:
    incoming, outgoing = map(int, sys.argv[1:])
    for descriptor in (incoming, outgoing):
        os.set_inheritable(descriptor, False)

    def answer(content: dict[str, Any]) -> None:
        os.write(outgoing, json.dumps(content).encode() + b"\n")

    sys.path.insert(0, "")  # as `python -m` and the interactive prompt have it
    todo = requests(incoming)
    boot = next(todo)
    options = {key: value for key, value in boot.items() if key not in ("action", "define")}
    exec(boot.get("define", ""), globals())  # noqa: S102 - a script's own functions, given by the scenario
    try:
        with hotreload.isolate_imports(**options) as environment:
            driver = Driver(environment)
            answer(driver.state())
            for request in todo:
                action = getattr(driver, request.pop("action"))
                try:
                    answer(action(**request))
                except Exception as error:
                    answer(failure(error))
    except (hotreload.HotreloadError, ImportError, TypeError, ValueError) as error:
        answer(failure(error))


if __name__ == "__main__":
    main()
