"""The two that are compared: a server that `hr run` keeps up to date, and one that an interpreter starts afresh."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equivalence.lines import Lines, SilenceError

END_LIMIT = 20.0
"""Seconds in which a server must end when it is asked to."""


@dataclass(frozen=True)
class Place:
    """Where a site lies, and what its processes find in their environment."""

    project: Path
    programs: Path
    """The folder with the interpreter and `hr`."""
    variables: Mapping[str, str]
    bytecode: Path
    """Where cold starts keep bytecode, so that they neither leave any beside the sources nor find what `hr` left."""

    def forget_bytecode(self) -> None:
        """Remove the site's: Python compares seconds and sizes, which is too coarse for edits that follow fast."""
        shutil.rmtree(self.bytecode / self.project.relative_to("/"), ignore_errors=True)


@dataclass
class End:
    """How a program ended by itself."""

    status: int
    output: list[str]
    """What it printed."""

    def text(self) -> list[str]:
        """Its status, and what it said about its end: all from the first complaint on."""
        return [f"status {self.status}", *self._reason()]

    def _reason(self) -> list[str]:
        complaints = ("Traceback", "ERROR", "SystemCheckError", "CommandError")
        for index, line in enumerate(self.output):
            if line.lstrip().startswith(complaints):
                return self.output[index:]
        return self.output


@dataclass
class Restart:
    """What came of an edit under `hr run`."""

    kind: str
    """`restarted`, `nothing` if the edit does not count, `syntax-error` if the earlier version runs on."""
    resumed: str | None = None
    """Before which module it went on."""
    end: End | None = None
    """That of the program, if it ended instead of serving."""

    def __str__(self) -> str:
        resumed = f", resumed before {self.resumed}" if self.resumed else ""
        return f"{self.kind}{resumed}{', ended' if self.end else ''}"


class Server:
    """A server in a session of its own."""

    def __init__(self, place: Place, words: Sequence[str | Path], variables: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            words,
            cwd=place.project,
            env={**place.variables, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.lines = Lines(self.process.stdout.fileno())

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """End it as one ends a service, and kill what is left of its session."""
        self.process.terminate()
        try:
            self.process.wait(END_LIMIT)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()


class Cold(Server):
    """A server as its interpreter starts it."""

    def __init__(self, place: Place, words: Sequence[str | Path], port: int, ready: str) -> None:
        place.forget_bytecode()
        super().__init__(place, words, {"PYTHONPYCACHEPREFIX": str(place.bytecode)})
        self.port = port
        self._ready = ready

    def __enter__(self) -> "Cold":
        return self

    def started(self) -> End | None:
        """Wait until it serves, or ends."""
        output = []
        for line in self.lines.until_end():
            if self._ready in line:
                return None
            output.append(line)
        return End(self.process.wait(END_LIMIT), output)


class Loop(Server):
    """A server under `hr run`. What it prints and what `hr` tells is one stream."""

    def __init__(self, place: Place, words: Sequence[str], options: Sequence[str], ready: str) -> None:
        hr = place.programs / "hr"
        python = place.programs / "python"
        super().__init__(place, [hr, "run", "-v", "--log-format", "json", "--python", python, *options, *words], {})
        self._ready = ready

    def __enter__(self) -> "Loop":
        return self

    def started(self) -> Restart:
        """Wait until it serves for the first time, or ends."""
        return self._outcome("ready")

    def restarted(self) -> Restart:
        """Wait until what was edited serves, or ends, or is found to be no reason for a restart."""
        return self._outcome("restarted")

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Have `hr run` look at nothing meanwhile, so that all that is written comes to one restart."""
        os.kill(self.process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)

    def _outcome(self, awaited: str) -> Restart:
        restart = Restart(awaited)
        output: list[str] = []
        events = []
        told = serving = False
        for line in self.lines.until_end():
            event = _event(line)
            if event is None:
                output.append(line)
                serving |= self._ready in line
            else:
                events.append(event)
                told |= event["event"] == awaited
            if event is not None and event["event"] == "restarted":
                resumed = event["resumed"]
                restart.resumed = resumed and resumed["module"]
            elif event is not None and event["event"] == "ended":
                restart.end = End(_status(event["status"]), output)
                return restart
            elif event is not None and event["event"] in {"nothing", "syntax-error"} and event.get("needed", True):
                restart.kind = event["event"]
                return restart
            if told and serving:
                return restart
        raise SilenceError("hr run ended:\n" + "\n".join(output) + f"\n{events}")


def _event(line: str) -> dict[str, Any] | None:
    with contextlib.suppress(ValueError):
        event = json.loads(line)
        if isinstance(event, dict) and "event" in event:
            return event
    return None


def _status(status: dict[str, int] | None) -> int:
    """As `subprocess` tells it."""
    if status is None:
        return 0
    return status["exit"] if "exit" in status else -status["signal"]
