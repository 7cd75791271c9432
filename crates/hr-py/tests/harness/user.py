"""A user's Python process in a clean environment: a script, or a driver that does what it is asked."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import processes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.environment import VirtualEnvironment

PROGRAMS = Path(__file__).parents[1] / "programs"
DRIVER = PROGRAMS / "driver.py"


class Place:
    """Folders that belong to one test: its project, and where programs may put temporary files."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        self.temporary = folder / "tmp"
        self.runtime = folder / "run"
        self.home = folder / "home"
        for directory in (self.project, self.temporary, self.runtime, self.home):
            directory.mkdir(mode=0o700)

    def write(self, files: Mapping[str, str]) -> None:
        """Write the project's files, given by their paths below it."""
        for name, text in files.items():
            path = self.project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def litter(self) -> list[Path]:
        """Temporary files and sockets that are still there."""
        return processes.files_below(self.temporary, self.runtime)


class User:
    """One user's process. Every process that it starts carries the same mark."""

    def __init__(self, environment: VirtualEnvironment, place: Place) -> None:
        self.environment = environment
        self.place = place
        self.mark = uuid.uuid4().hex
        self.children: set[int] = set()
        self.sessions: list[Session] = []

    def variables(self) -> dict[str, str]:
        """The environment of a user's process: the machine's, with all folders moved to the test's own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}
        return {
            **kept,
            processes.MARK: self.mark,
            "HOME": str(self.place.home),
            "TMPDIR": str(self.place.temporary),
            "XDG_RUNTIME_DIR": str(self.place.runtime),
            "XDG_CACHE_HOME": str(self.place.home / "cache"),
            "PYTHONFAULTHANDLER": "1",
        }

    def start_script(
        self, name: str, *arguments: str, stderr: int = subprocess.PIPE, closed: tuple[int, ...] = ()
    ) -> subprocess.Popen[str]:
        """Start one of `programs` in a session of its own, as a terminal would have it.

        It is copied beside the project first, where a user would have it. `closed` are standard streams that it
        does not get.
        """
        script = self.place.project / name
        if not script.exists():
            shutil.copy(PROGRAMS / name, script)
        closing = " ".join(f"{descriptor}>&-" for descriptor in closed)
        child = subprocess.Popen(
            ["/bin/sh", "-c", f'exec "$@" {closing}', "sh", self.environment.python, script, *arguments],
            cwd=self.place.project,
            env=self.variables(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
            text=True,
        )
        self.children.add(child.pid)
        return child

    def run_script(self, name: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a script to its end: one of `programs`, or one that lies in the project already."""
        return self.finish_script(self.start_script(name, *arguments), stdin)

    def finish_script(self, child: subprocess.Popen[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Wait for a script's end."""
        try:
            stdout, stderr = child.communicate(stdin, timeout=processes.LIMIT)
        except subprocess.TimeoutExpired:
            child.kill()
            stdout, stderr = child.communicate()
            raise AssertionError(f"a script hangs\n{stdout}\n{stderr}") from None
        return subprocess.CompletedProcess(child.args, child.returncode, stdout, stderr)

    def run_hr(self, command: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command of `hr` in the project, for the environment's interpreter unless the arguments name another."""
        has_none = command == "status" or "--python" in arguments
        interpreter = () if has_none else ("--python", str(self.environment.python))
        child = subprocess.Popen(
            [self.environment.folder / "bin" / "hr", command, *interpreter, *arguments],
            cwd=self.place.project,
            env={**self.variables(), **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.children.add(child.pid)
        return self.finish_script(child)

    def start(self, *, bound_by_modes: bool = False) -> Session:
        """Start the driver; on request so that file modes bind it even if it is root's."""
        session = Session(self, bound_by_modes=bound_by_modes)
        self.sessions.append(session)
        return session

    def remaining(self) -> list[processes.Process]:
        """Processes of this user that do not end."""
        return processes.remaining(self.mark, self.children)

    def leave(self) -> None:
        """Let every driver that is still there leave its `with` block."""
        for session in self.sessions:
            session.close()
            session.process.wait(processes.LIMIT)

    def end(self) -> None:
        """Kill what a failed test left behind."""
        for entry in processes.marked(self.mark):
            try:
                os.kill(entry.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for session in self.sessions:
            session.close()
            session.process.wait(processes.LIMIT)
        processes.reap_orphans(self.children)


class Session:
    """A running driver. Requests and answers travel as JSON lines over pipes of their own."""

    def __init__(self, user: User, *, bound_by_modes: bool = False) -> None:
        self.user = user
        self.stdout = user.place.home / "stdout"
        self.stderr = user.place.home / "stderr"
        requests, self._requests = os.pipe()
        self._answers, answers = os.pipe()
        with self.stdout.open("ab") as stdout, self.stderr.open("ab") as stderr:
            self.process = subprocess.Popen(
                [user.environment.python, DRIVER, str(requests), str(answers)],
                cwd=user.place.project,
                env=user.variables(),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                pass_fds=(requests, answers),
                # The test process has no threads of its own that could hold a lock here.
                preexec_fn=processes.drop_override if bound_by_modes else None,  # noqa: PLW1509
            )
        user.children.add(self.process.pid)
        os.close(requests)
        os.close(answers)
        self._buffer = b""

    def send(self, action: str, **arguments: Any) -> None:
        """Ask for one action without waiting for its answer."""
        line = json.dumps({"action": action, **arguments}) + "\n"
        os.write(self._requests, line.encode())

    def receive(self) -> dict[str, Any]:
        """Wait for the next answer."""
        deadline = time.monotonic() + processes.LIMIT
        while b"\n" not in self._buffer:
            readable, _, _ = select.select([self._answers], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(self._answers, 65536) if readable else None
            if not chunk:
                why = "hangs" if chunk is None else "ended without an answer"
                raise AssertionError(f"the user's process {why}\n{self.stderr.read_text(errors='replace')}")
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, action: str, **arguments: Any) -> dict[str, Any]:
        """Ask for one action, and wait for its answer."""
        self.send(action, **arguments)
        return self.receive()

    def finish(self) -> int:
        """Let the driver leave its `with` block, and return its exit status."""
        self.close()
        return self.process.wait(processes.LIMIT)

    def close(self) -> None:
        """Close the pipes; a living driver then leaves its `with` block."""
        for descriptor in (self._requests, self._answers):
            if descriptor >= 0:
                os.close(descriptor)
        self._requests = self._answers = -1
