"""Measures the time from a save until the edited module is executed, for a program that ends at once when told to.

Usage: executed.py ROUNDS [TIMES]. The program imports the project that `generate.py` writes, so many times as large,
and waits. Three copies run at once: under ``hr run``, under ``hr run --no-checkpoints``, and under ``python``, which is
ended and started again by hand. In every round one module at each place of the order of execution is edited under each
of them, in an order drawn anew, when its processes are quiet; it tells when its first statement is executed. Edits of
the first round are not counted: they are of a program that nobody has edited yet. Prints a table.
"""

import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import edits
import generate
import processes

MAIN = "import signal\nimport shop.main\nprint('up', flush=True)\nsignal.pause()\n"

FIRST = "from __future__ import annotations\n"
"""Before it there can be no other statement."""

TELL = "import time; print('executed', time.monotonic(), flush=True)\n"

WAYS = {"hr run": ["hr", "run"], "hr run --no-checkpoints": ["hr", "run", "--no-checkpoints"], "by hand": ["python"]}

WINDOW = 0.2
STILL = 0.005
"""Quiet is what takes no more than so many seconds of a processor in that time."""


class Program:
    """One copy of the project, and the program in it."""

    def __init__(self, name: str, folder: Path, times: int) -> None:
        self._command = WAYS[name]
        self._folder = folder
        self._value = edits.FIRST
        folder.mkdir()
        generate.write(folder, times)
        (folder / "main.py").write_text(MAIN)
        self.places = generate.positions(folder)
        self._process = self._start()
        self._wait_for("up")

    def edit(self, place: str) -> float:
        """Seconds from a save until the module at that place is executed."""
        module, constant = self.places[place]
        path = self._folder / f"{module.replace('.', '/')}.py"
        self._value += 1
        text = edits.change(path, constant, self._value)
        saved = self._save(path, text.replace(FIRST, FIRST + TELL, 1))
        executed = float(self._wait_for("executed").split()[1])
        self._wait_for("up")
        # The next edit is of another module, which is then the only one to tell.
        self._save(path, text)
        self._wait_for("up")
        self._settle()
        return executed - saved

    def end(self) -> None:
        """End it as one ends a program."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()

    def _save(self, path: Path, text: str) -> float:
        saved = edits.by_rename(path, text)
        if self._command == WAYS["by hand"]:
            self.end()
            self._process = self._start()
        return saved

    def _start(self) -> subprocess.Popen[str]:
        programs = Path(sys.executable).parent
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"VIRTUAL_ENV": str(programs.parent), "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
        program, *arguments = self._command
        return subprocess.Popen(
            [programs / program, *arguments, "main.py"],
            cwd=self._folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def _wait_for(self, word: str) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(word):
                return line
        raise SystemExit(f"{' '.join(self._command)} has ended")

    def _settle(self) -> None:
        pids = processes.tree(self._process.pid)
        before = processes.busy(pids)
        while True:
            time.sleep(WINDOW)
            after = processes.busy(processes.tree(self._process.pid))
            if sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items()) < STILL:
                return
            before = after


def main() -> None:
    """Measure, and print."""
    rounds, times = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    order = random.Random(rounds)  # noqa: S311
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        programs = {name: Program(name, Path(folder, str(number)), times) for number, name in enumerate(WAYS)}
        places = next(iter(programs.values())).places
        for number in range(rounds + 1):
            for place in places:
                for name in order.sample(list(programs), len(programs)):
                    seconds = programs[name].edit(place)
                    if number > 0:
                        taken[name, place].append(seconds * 1000)
        for program in programs.values():
            program.end()
    print(f"| {len(generate.AREAS) * len(generate.THINGS) * times} modules | {' | '.join(places)} |")
    print(f"|---{'|---:' * len(places)}|")
    for name in WAYS:
        cells = [_cell(taken[name, place]) for place in places]
        print(f"| {name} | {' | '.join(cells)} |")


def _cell(samples: list[float]) -> str:
    low, median, high = statistics.quantiles(samples, n=4)
    return f"{median:.1f} ms ({low:.1f} to {high:.1f}; {len(samples)})"


if __name__ == "__main__":
    main()
