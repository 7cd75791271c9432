"""Measures the time from a save until the change is answered over HTTP, for one project and several tools.

Usage: driver.py PROJECT --tool TOOL... --edit CONSTANT... --rounds NUMBER [--again]. All servers run at once. In every
round, each constant is edited once under each tool, in an order drawn anew; nothing is edited before the tool's
processes are quiet again. With --again, tools that remember the program's past are started anew in each round, and each
constant is edited twice under them. Each line of output is one JSON object, told apart by "kind"; times are in seconds,
memory in kilobytes.
"""

import argparse
import contextlib
import json
import platform
import random
import signal
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edits import WAYS
from projects import PROJECTS
from server import NoAnswerError, Server
from tools import TOOLS

WARM_UP = 1
"""Edits of each constant that are not counted."""

PATIENCE = 3
"""Changes that a tool may miss before it is left out."""

USUAL = ["leaf", "route", "deep"]
POSITIONS = ["10%", "50%", "90%"]
"""Constants that are edited if nobody says otherwise, each once and each twice."""

IDLE = 10.0
"""Seconds for which nothing is asked of anybody."""

DISTRIBUTIONS = ("Django", "fastapi", "hotreload", "hupper", "uvicorn", "uvicorn-hmr", "watchfiles")


def tell(kind: str, **facts: Any) -> None:
    """One line of output."""
    print(json.dumps({"kind": kind, **facts}), flush=True)


def main() -> None:
    """Measure."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda *_: sys.exit(1))  # ends the servers
    parser = argparse.ArgumentParser()
    parser.add_argument("project", choices=PROJECTS)
    parser.add_argument("--tool", nargs="*", choices=TOOLS, default=list(TOOLS))
    parser.add_argument("--edit", nargs="*", default=[])
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--again", action="store_true")
    arguments = parser.parse_args()
    versions = {name: version(name) for name in DISTRIBUTIONS}
    tell("versions", python=platform.python_version(), linux=platform.release(), distributions=versions)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        servers = start(arguments.project, arguments.tool, Path(folder), stack)
        order = random.Random(arguments.rounds)  # noqa: S311
        measure_all = measure_again if arguments.again else measure_edits
        measure_all(servers, arguments.edit, arguments.rounds, order)
        look(servers)
        for server in servers:
            server.remove()
            if server.held_out:
                tell("trouble", tool=server.name, text=server.held_out)


def start(project: str, tools: list[str], folder: Path, stack: contextlib.ExitStack) -> list[Server]:
    """Start a server with each tool that goes with the project."""
    servers = []
    for number, name in enumerate(tools):
        if TOOLS[name].django == bool(PROJECTS[project].application):
            continue
        server = Server(name, TOOLS[name], PROJECTS[project], folder / str(number))
        stack.callback(server.remove)
        tell("tool", tool=name, command=server.command)
        try:
            server.start()
        except (NoAnswerError, OSError) as error:
            server.remove()
            tell("trouble", tool=name, text=str(error))
        else:
            servers.append(server)
    return servers


def measure_edits(servers: list[Server], wanted: list[str], rounds: int, order: random.Random) -> None:
    """One edit of each constant in each round, under one tool after another."""
    for number in range(-WARM_UP, rounds):
        for constant in wanted or USUAL:
            for server in order.sample(servers, len(servers)):
                if server.has(constant):
                    measure(server, constant, number, constant)
                    give_up_if_hopeless(server, servers)


def measure_again(servers: list[Server], wanted: list[str], rounds: int, order: random.Random) -> None:
    """Two edits of each constant in each round. What remembers a program's past has none at its beginning."""
    for number in range(-WARM_UP, rounds):
        for server in order.sample(servers, len(servers)):
            times = ["first"]
            if server.has_past:
                times.append("again")
                seconds = server.start_again()
                if number >= 0:
                    tell("sample", tool=server.name, edit="start", save="", seconds=seconds)
            constants = [constant for constant in wanted or POSITIONS if server.has(constant)]
            for constant in order.sample(constants, len(constants)):
                for turn in times:
                    measure(server, constant, number, f"{constant} {turn}")
            give_up_if_hopeless(server, servers)


def give_up_if_hopeless(server: Server, servers: list[Server]) -> None:
    """Leave out who answers nothing."""
    if server.missed >= PATIENCE:
        tell("trouble", tool=server.name, text=f"left out after {PATIENCE} changes it never answered")
        server.remove()
        servers.remove(server)


def measure(server: Server, constant: str, number: int, edit: str) -> None:
    """One edit. Those of rounds before the first are not counted."""
    way = list(WAYS)[number % len(WAYS)]
    seconds = server.edit(constant, way)
    if number >= 0:
        tell("sample", tool=server.name, edit=edit, save=way, seconds=seconds)
    if seconds is None:
        server.restart()
    server.settle()


def look(servers: list[Server]) -> None:
    """What they take while nothing happens, all at the same time."""
    before = [server.taken() for server in servers]
    started = time.monotonic()
    time.sleep(IDLE)
    passed = time.monotonic() - started
    for server, taken in zip(servers, before, strict=True):
        busy = server.taken_since(taken) / passed
        number, kilobytes = server.held()
        checkpoints = server.checkpoints() if server.has_past else []
        tell(
            "rest",
            tool=server.name,
            processes=number,
            memory=kilobytes,
            processor=busy,
            checkpoints=len(checkpoints),
            checkpoint_memory=sum(checkpoints),
        )


if __name__ == "__main__":
    main()
