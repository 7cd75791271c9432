"""What others take for the same modules."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import project

HERE = Path(__file__).parent

LIMIT = 120
"""Seconds that a program may take."""

FIREHOT_LIMIT = 60
"""Seconds that firehot may take, which can hang."""


class Helper:
    """A program that stays, and measures one thing each time it is told to."""

    def __init__(self, script: str, modules: list[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, HERE / script, *modules], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def measure(self, times: int = 1) -> float:
        """Seconds."""
        requests, answers = _pipe(self._process.stdin), _pipe(self._process.stdout)
        requests.write(f"{times}\n")
        requests.flush()
        return float(answers.readline())

    def end(self) -> None:
        """End the program."""
        _pipe(self._process.stdin).close()
        self._process.wait(LIMIT)


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def plain_import(modules: list[str], addition: str) -> tuple[float, float]:
    """Seconds to import ``modules`` in a new process, and then ``addition``."""
    command = [sys.executable, str(HERE / "plain_import.py"), addition, *modules]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=True)
    first, second = done.stdout.split()
    return float(first), float(second)


def firehot(folder: Path, modules: list[str], runs: int, pause: float) -> tuple[dict[str, list[float]], str]:
    """What firehot takes for the same project, or the reason why there is no result."""
    project.write(folder, modules)
    # It starts whatever interpreter is called `python`.
    path = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    child = subprocess.Popen(
        [sys.executable, HERE / "firehot_runs.py", str(folder), str(runs), str(pause)],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        stdout, stderr = child.communicate(timeout=FIREHOT_LIMIT)
    except subprocess.TimeoutExpired:
        return {}, f"it had not ended after {FIREHOT_LIMIT} s"
    finally:
        # Its processes may outlive it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    for line in stdout.splitlines():
        if line.startswith("samples "):
            opening, first, result = json.loads(line.removeprefix("samples "))
            return {"open, firehot": opening, "run to function, firehot": first, "run, firehot": result}, ""
    return {}, (stderr.strip().splitlines() or [f"it ended with {child.returncode}"])[-1]
