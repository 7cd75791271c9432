"""Edits sites at random under `hr run`, and compares what they answer over HTTP with what a cold start answers.

Usage: python -m equivalence PROJECT --edits NUMBER --seed FIRST --histories NUMBER. Each history has the next seed; the
same seed makes the same edits. One line of stdout tells what came of all of them; the rest is told on stderr.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from equivalence.django_site import DJANGO
from equivalence.history import DifferenceError, History, Tally
from equivalence.lines import SilenceError
from equivalence.project import Project
from equivalence.realapp import REALAPP
from equivalence.servers import Place

PROJECTS = {"realapp": REALAPP, "django": DJANGO}


def main() -> int:
    """Play the histories of one project."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda *_: sys.exit(1))  # ends the servers
    parser = argparse.ArgumentParser(prog="python -m equivalence")
    parser.add_argument("project", choices=PROJECTS)
    parser.add_argument("--edits", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--histories", type=int, required=True)
    arguments = parser.parse_args()
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="equivalence-") as folder:
        for seed in range(arguments.seed, arguments.seed + arguments.histories):
            play(PROJECTS[arguments.project], Path(folder).resolve(), seed, arguments.edits, tally)
            tell(f"{arguments.project}, seed {seed}: {tally} so far")
    if tally.edits and not tally.resumed:
        tell("no restart has gone on from a checkpoint: nothing was shown about them")
    print(f"{arguments.project}: {tally}", flush=True)
    return int(tally.differences > 0 or (tally.edits > 0 and not tally.resumed))


def play(project: Project, folder: Path, seed: int, edits: int, tally: Tally) -> None:
    """One history, up to its end or to the first difference."""
    history = History(project, place(folder, seed), seed, tally, tell)
    try:
        history.play(edits)
    except (DifferenceError, SilenceError, subprocess.TimeoutExpired) as error:
        tally.differences += 1
        tell("\n".join([f"{type(error).__name__}: {error}", *history.told]))


def place(folder: Path, seed: int) -> Place:
    """A folder for a site, and an environment that holds nothing of the one that this was started in."""
    programs = Path(sys.executable).parent
    left_out = ("PYTHON", "DJANGO", "UVICORN", "VIRTUAL_ENV", "XDG_CACHE")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    variables |= {
        "VIRTUAL_ENV": str(programs.parent),
        "PATH": f"{programs}{os.pathsep}{variables['PATH']}",
        # Lines are waited for, and come through a pipe.
        "PYTHONUNBUFFERED": "1",
        # No two processes agree on the order of sets otherwise.
        "PYTHONHASHSEED": "0",
        "XDG_CACHE_HOME": str(folder / str(seed) / "cache"),
    }
    return Place(folder / str(seed) / "site", programs, variables, folder / "bytecode")


def tell(text: str) -> None:
    """For people."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
