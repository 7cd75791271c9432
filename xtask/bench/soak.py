"""Ten thousand runs in one environment: what they leave behind. Prints a table, and fails if something grows.

Usage: soak.py RUNS. Measured are this process, the supervisor and the template, after every tenth part of the runs.
"""

import gc
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import hotreload

PARTS = 10
CALLERS = 4
"""Runs that are under way at once."""
SETTLED = 3
"""Parts after which nothing may grow any more: until then, allocators and caches find their size."""
TOLERANCE_KB = 512
"""By how much private memory may differ all the same, in kilobytes: a few pages of an allocator."""
PATIENCE = 10.0
"""Seconds in which processes that are ending may end."""


class Process(NamedTuple):
    """What one process holds."""

    descriptors: int
    private_kb: int


def look(pid: int) -> Process:
    """What process ``pid`` holds now."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    private = sum(int(line.split()[1]) for line in rollup if line.startswith(("Private_Clean", "Private_Dirty")))
    return Process(len(os.listdir(f"/proc/{pid}/fd")), private)


def below(root: int) -> int:
    """How many processes descend from ``root``, zombies included."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found, added = {root}, True
    while added:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
        added = bool(more)
    return len(found) - 1


def run(environment: hotreload.IsolatedEnvironment, number: int) -> None:
    """So many runs, several at a time: most return, some raise, some exit, some are stopped."""
    for start in range(0, number, CALLERS):
        processes = [environment.exec(behave, start + offset) for offset in range(CALLERS)]
        for offset, process in enumerate(processes):
            try:
                if (start + offset) % 50 == 49:
                    environment.stop_isolated(process)
                environment.communicate_isolated(process)
            except (hotreload.RunExited, ValueError, SystemExit):
                pass


def behave(number: int) -> bytes:
    """One run."""
    if number % 50 == 7:
        raise ValueError(number)
    if number % 50 == 8:
        sys.exit(3)
    if number % 50 == 9:
        os._exit(4)
    return b"x" * (number % 3 * 100_000)


def settled_count(root: int, expected: int) -> int:
    """Processes below ``root``, once those that were ending have ended."""
    deadline = time.monotonic() + PATIENCE
    while (count := below(root)) > expected and time.monotonic() < deadline:
        time.sleep(0.01)
    return count


def main() -> int:
    """Soak."""
    runs = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "app"
        package.mkdir()
        (package / "__init__.py").write_text("import json, decimal, asyncio\n")
        sys.path.insert(0, folder)
        with hotreload.isolate_imports("app") as environment:
            return soak(environment, runs)


def soak(environment: hotreload.IsolatedEnvironment, runs: int) -> int:
    """Run, look, and compare."""
    pids = {"caller": os.getpid(), "supervisor": environment.supervisor_pid, "template": environment.template_pid}
    processes = 3  # supervisor, template, and a spare
    print(f"| runs | processes | {' | '.join(f'{name}: descriptors, private kB' for name in pids)} |")
    print(f"|---:|---:|{'---:|' * len(pids)}")
    seen: list[tuple[int, dict[str, Process]]] = []
    for part in range(1, PARTS + 1):
        run(environment, runs // PARTS)
        count = settled_count(pids["supervisor"], processes - 1) + 1
        gc.collect()  # exceptions and the frames they hold wait for it
        held = {name: look(pid) for name, pid in pids.items()}
        seen.append((count, held))
        cells = [f"{process.descriptors}, {process.private_kb}" for process in held.values()]
        print(f"| {part * (runs // PARTS)} | {count} | {' | '.join(cells)} |", flush=True)
    (count, first), (last_count, last) = seen[SETTLED - 1], seen[-1]
    grown = [f"{last_count} processes, {count} before"] if last_count > count else []
    for name, process in last.items():
        if process.descriptors > first[name].descriptors:
            grown.append(f"descriptors of the {name}")
        if process.private_kb > first[name].private_kb + TOLERANCE_KB:
            grown.append(f"memory of the {name}")
    if environment.template_pid != pids["template"]:
        grown.append("the template is another")
    print("grown: " + ", ".join(grown) if grown else "nothing has grown")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
