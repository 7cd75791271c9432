"""Measures the time from a save until the change is answered over HTTP, for one project and several tools.

Usage: driver.py PROJECT --tool TOOL... --edit CONSTANT... --rounds NUMBER. All servers run at once. In every round,
each constant is edited once under each tool, in an order drawn anew; nothing is edited before the tool's processes are
quiet again. Each line of output is one JSON object, told apart by "kind"; times are in seconds, memory in kilobytes.
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
    parser.add_argument("--edit", nargs="*", default=["leaf", "route", "deep"])
    parser.add_argument("--rounds", type=int, required=True)
    arguments = parser.parse_args()
    versions = {name: version(name) for name in DISTRIBUTIONS}
    tell("versions", python=platform.python_version(), linux=platform.release(), distributions=versions)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        servers = start(arguments.project, arguments.tool, Path(folder), stack)
        constants = [name for name in PROJECTS[arguments.project].constants if name in arguments.edit]
        order = random.Random(arguments.rounds)  # noqa: S311
        for number in range(-WARM_UP, arguments.rounds):
            for constant in constants:
                for server in order.sample(servers, len(servers)):
                    measure(server, constant, number)
                    if server.missed == PATIENCE:
                        tell("trouble", tool=server.name, text=f"left out after {PATIENCE} changes it never answered")
                        server.remove()
                        servers.remove(server)
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


def measure(server: Server, constant: str, number: int) -> None:
    """One edit. Those of rounds before the first are not counted."""
    way = list(WAYS)[number % len(WAYS)]
    seconds = server.edit(constant, way)
    if number >= 0:
        tell("sample", tool=server.name, edit=constant, save=way, seconds=seconds)
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
        tell("rest", tool=server.name, processes=number, memory=kilobytes, processor=busy)


if __name__ == "__main__":
    main()
