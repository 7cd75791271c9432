"""One server that a tool keeps up to date, with a copy of the project of its own."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import answers
import edits
import processes
from projects import Constant, Project
from tools import Tool

START_LIMIT = 300.0
"""Seconds in which a server must give its first answer."""

CHANGE_LIMIT = 90.0
"""Seconds in which a change must be answered."""

END_LIMIT = 10.0
"""Seconds in which a server must end when it is asked to."""

WINDOW = 0.1
STILL = 0.005
"""Quiet is what takes no more than so many seconds of a processor, in two windows, one after the other."""
QUIET_LIMIT = 10.0

SHOWN_LINES = 12
"""Lines of output to show of a server that does not serve."""


class NoAnswerError(Exception):
    """A server that does not answer."""


class Server:
    """A server, from start to end."""

    def __init__(self, name: str, tool: Tool, project: Project, folder: Path) -> None:
        self.name = name
        self.missed = 0
        self.held_out = ""
        self._tool = tool
        self._project = project
        self._root = folder / "project"
        self._output = folder / "output"
        folder.mkdir()
        project.write(self._root)
        self._constants = project.constants_in(self._root)
        self._values = dict.fromkeys(self._constants.values(), edits.FIRST - 1)
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def has(self, constant: str) -> bool:
        """Whether its project has this constant."""
        return constant in self._constants

    @property
    def has_past(self) -> bool:
        """Whether it starts differently once the program was started before."""
        return self._tool.past

    @property
    def command(self) -> str:
        """What was typed, more or less."""
        return " ".join(self._tool.command(self._project.application, 8000))

    def start(self) -> None:
        """Start it, and wait for the first answer."""
        self.port = answers.free_port()
        for constant in self._values:
            self._save(constant, "rename")  # so that it is known what must be answered
        self._launch()
        if not all(self._answers(constant, value) for constant, value in self._values.items()):
            raise NoAnswerError(f"{self.name} does not answer:\n{self._last_lines()}")
        self.settle()

    def edit(self, name: str, way: str) -> float | None:
        """Save a change. Seconds until it is answered; nothing if it never is."""
        constant = self._constants[name]
        saved = self._save(constant, way)
        if self._tool.by_hand:
            self.end()
            self._launch()
        answered = answers.wait_for(self.port, constant.answer, self._values[constant], CHANGE_LIMIT)
        if answered is None:
            self.missed += 1
            return None
        return answered - saved

    def settle(self) -> None:
        """Wait until none of its processes does anything, or for as long as can be waited."""
        deadline, still = time.monotonic() + QUIET_LIMIT, 0
        while still < 2 and time.monotonic() < deadline:
            still = still + 1 if self.busy_for(WINDOW) < STILL else 0

    def busy_for(self, seconds: float) -> float:
        """Seconds of a processor that its processes take in that time."""
        before = processes.busy(self._tree())
        time.sleep(seconds)
        return self.taken_since(before)

    def taken(self) -> dict[int, float]:
        """Seconds of a processor that each of its processes has had."""
        return processes.busy(self._tree())

    def taken_since(self, before: dict[int, float]) -> float:
        """Seconds of a processor taken since then."""
        return sum(seconds - before.get(pid, 0.0) for pid, seconds in self.taken().items())

    def held(self) -> tuple[int, int]:
        """How many processes it has, and how many kilobytes they hold."""
        pids = self._tree()
        return len(pids), processes.memory(pids)

    def end(self) -> None:
        """End it as one ends a service, and kill what does not end."""
        process, self._process = self._process, None
        if process is None:
            return
        watched = processes.Watched(processes.tree(process.pid))
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            process.wait(END_LIMIT)
        except subprocess.TimeoutExpired:
            self.held_out = f"{self.name} had not ended {END_LIMIT:.0f} s after SIGTERM"
        finally:
            watched.kill()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what it has started meanwhile
            process.wait()

    def restart(self) -> None:
        """End it, and start it afresh."""
        self.end()
        self.start()

    def start_again(self) -> float | None:
        """End it, and start it with the same files. Seconds until the first answer; nothing if there is none."""
        self.end()
        self.port = answers.free_port()
        started = time.monotonic()
        self._launch()
        constant, value = next(iter(self._values.items()))
        answered = answers.wait_for(self.port, constant.answer, value, START_LIMIT)
        self.settle()
        return None if answered is None else answered - started

    def checkpoints(self) -> list[int]:
        """The private memory of each checkpoint, in kilobytes."""
        if self._process is None:
            return []
        hr = Path(sys.executable).parent / "hr"
        shown = subprocess.run([hr, "status", "--format", "json"], stdout=subprocess.PIPE, check=True, text=True)
        own = [tree for tree in json.loads(shown.stdout)["trees"] if tree["client"] == self._process.pid]
        found = [process for tree in own for process in tree["processes"] if process["role"] == "checkpoint"]
        return [(process["private_memory"] or 0) // 1024 for process in found]

    def remove(self) -> None:
        """End it and remove its copy of the project."""
        self.end()
        shutil.rmtree(self._root, ignore_errors=True)

    def _launch(self) -> None:
        programs = Path(sys.executable).parent
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"VIRTUAL_ENV": str(programs.parent), "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
        program, *arguments = self._tool.command(self._project.application, self.port)
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [programs / program, *arguments],
                cwd=self._root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _save(self, constant: Constant, way: str) -> float:
        self._values[constant] += 1
        path = self._root / constant.file
        return edits.WAYS[way](path, edits.change(path, constant.name, self._values[constant]))

    def _answers(self, constant: Constant, value: int) -> bool:
        """Whether it comes to answer that, before it ends or the time for a start is over."""
        deadline = time.monotonic() + START_LIMIT
        while self._process and self._process.poll() is None and time.monotonic() < deadline:
            if answers.wait_for(self.port, constant.answer, value, 1.0) is not None:
                return True
        return False

    def _tree(self) -> set[int]:
        return processes.tree(self._process.pid) if self._process else set()

    def _last_lines(self) -> str:
        return "\n".join(self._output.read_text(errors="replace").splitlines()[-SHOWN_LINES:])
