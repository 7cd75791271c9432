"""What hotreload takes: builds, layers, updates, runs, and memory."""

import math
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import project
from hotreload import BuildEvent, ImportStarted, IsolatedEnvironment, isolate_imports


def build(folder: Path, modules: list[str], addition: str) -> tuple[float, float, float, list[str]]:
    """Seconds to enter the block, of those since the first import, and to add a library; what the template has not."""
    libraries = project.write(folder, modules)
    first = math.nan

    def note(event: BuildEvent) -> None:
        nonlocal first
        if math.isnan(first) and isinstance(event, ImportStarted):
            first = time.monotonic()

    started = time.monotonic()
    with isolate_imports(folder / "app", on_event=note) as environment:
        ready = time.monotonic()
        excluded = [entry.module for entry in environment.excluded]
        with libraries.open("a") as file:
            file.write(f"import {addition}\n")
        edited = time.monotonic()
        assert environment.update_environment().changed
        return ready - started, ready - first, time.monotonic() - edited, excluded


def update(environment: IsolatedEnvironment) -> float:
    """Seconds of an update that finds nothing."""
    started = time.monotonic()
    assert not environment.update_environment()
    return time.monotonic() - started


def run(environment: IsolatedEnvironment, function: Callable[[], Any]) -> tuple[float, float]:
    """Seconds until the moment that ``function`` returns, and until its result is here."""
    started = time.monotonic()
    moment: float = environment.communicate_isolated(environment.exec(function))
    return moment - started, time.monotonic() - started


def sustained(environment: IsolatedEnvironment, function: Callable[[], Any], callers: int, runs: int) -> float:
    """Seconds a run, when each of the callers begins the next as soon as it has the result of the last."""

    def work() -> None:
        for _ in range(runs // callers):
            environment.communicate_isolated(environment.exec(function))

    threads = [threading.Thread(target=work) for _ in range(callers)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (time.monotonic() - started) / (runs // callers * callers)


def private_share(environment: IsolatedEnvironment, wait: Callable[..., Any], folder: Path) -> float:
    """Memory that a waiting run has for itself, as a share of what its template has that no file backs."""
    pipes = [folder / "announcement", folder / "release"]
    for pipe in pipes:
        os.mkfifo(pipe)
    process = environment.exec(wait, *map(str, pipes))
    pipes[0].read_text()
    own, template = _memory(process.pid), _memory(environment.template_pid)
    pipes[1].write_text("")
    environment.communicate_isolated(process)
    for pipe in pipes:
        pipe.unlink()
    return (own["Private_Clean"] + own["Private_Dirty"]) / template["Anonymous"]


def _memory(pid: int) -> dict[str, int]:
    """Kilobytes by kind, from the kernel's summary of a process."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {line.partition(":")[0]: int(line.split()[1]) for line in lines}


def idle(environment: IsolatedEnvironment, seconds: float) -> float:
    """Share of that time for which supervisor, template and spares keep a processor busy."""
    pids = [environment.supervisor_pid, environment.template_pid]
    pids += map(int, Path(f"/proc/{pids[1]}/task/{pids[1]}/children").read_text().split())
    before = sum(map(_busy, pids))
    time.sleep(seconds)
    return (sum(map(_busy, pids)) - before) / seconds


def _busy(pid: int) -> float:
    """Seconds a process has had of a processor."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def functions() -> Any:
    """The module of the project that holds what runs call."""
    sys.modules.pop("app", None)
    import app.runs

    return app.runs
