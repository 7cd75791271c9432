"""Measures one template: forks of it, runs in it, and what they are compared with.

Usage: main.py TEMPLATE. For each line of input one round is measured, in which every measure is taken in turn, so that
a machine that is busy for a while does the same to all. The answer is one line of JSON:
{"excluded": [...], "no_firehot": reason, "samples": [[measure, [number, ...]], ...]}; times are seconds.
"""

import contextlib
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import compared
import ours
import project
from hotreload import IsolatedEnvironment, isolate_imports

TEMPLATES = {
    "small": ["json", "logging", "argparse"],
    "web": ["fastapi", "sqlalchemy.orm"],
    "django": ["django.http", "django.urls", "django.template", "django.forms", "django.db.models"],
    "data": ["pandas", "sklearn.linear_model"],
}

ADDITION = "httpx"
"""What an edit imports in addition; none of the templates has it."""

RUNS = 10
SUSTAINED = 48
SIZE = 1000
"""Modules of the project whose update finds nothing."""

PAUSE = 0.05
"""Seconds between two single runs: as between two commands of a person, there is time for the next spare."""

BUILDING = 2.0
"""Seconds of each round for which templates are built, one after another: small ones differ by more than they take."""

IDLE = 0.5
"""Seconds for which nothing is asked of an environment."""


class Template:
    """One template, and everything that stays from round to round."""

    def __init__(self, modules: list[str], folder: Path, stack: contextlib.ExitStack) -> None:
        self.modules = modules
        self.folder = folder
        self.excluded: list[str] = []
        self.no_firehot = ""
        self.samples: dict[str, list[float]] = defaultdict(list)
        compared.plain_import(modules, ADDITION)  # writes bytecode
        self._fork = compared.Helper("bare_fork.py", modules)
        self._server = compared.Helper("forkserver.py", modules)
        stack.callback(self._fork.end)
        stack.callback(self._server.end)
        self._server.measure()  # starts the server
        running = folder / "running"
        project.write(running, modules)
        sys.path.insert(0, str(running))
        self._app = ours.functions()
        enter = stack.enter_context
        self._environments = [enter(isolate_imports(running / "app", spares=spares)) for spares in (1, 0)]
        project.write(folder / "large", modules, SIZE)
        self._large = enter(isolate_imports(folder / "large" / "app"))
        for environment in self._environments:
            self._runs(environment, "", defaultdict(list))  # writes bytecode

    def round(self) -> None:
        """Take every measure."""
        self._builds()
        for _ in range(RUNS):
            time.sleep(PAUSE)
            self.samples["bare fork"].append(self._fork.measure())
            time.sleep(PAUSE)
            self.samples["fork server"].append(self._server.measure())
            for environment, label in zip(self._environments, ("with a spare", "without spares"), strict=True):
                self._runs(environment, label, self.samples)
            self.samples["update, nothing new"].append(ours.update(self._environments[0]))
            self.samples[f"update, nothing new, {SIZE} modules"].append(ours.update(self._large))
        self.samples["bare fork, sustained"].append(self._fork.measure(SUSTAINED))
        for environment, label in zip(self._environments, ("with a spare", "without spares"), strict=True):
            for callers, name in ((1, "1 caller"), (4, "4 callers")):
                taken = ours.sustained(environment, self._app.nothing, callers, SUSTAINED)
                self.samples[f"run, sustained, {name}, {label}"].append(taken)
            share = ours.private_share(environment, self._app.wait, self.folder)
            self.samples[f"private memory of a run, {label}"].append(share)
        time.sleep(IDLE)
        self.samples["processor while idle"].append(ours.idle(self._environments[0], IDLE))

    def _builds(self) -> None:
        until = time.monotonic() + BUILDING
        while True:
            self._build()
            if time.monotonic() > until:
                break

    def _build(self) -> None:
        first, second = compared.plain_import(self.modules, ADDITION)
        self.samples["plain import"].append(first)
        self.samples["plain import of an addition"].append(second)
        opened, built, layer, self.excluded = ours.build(self.folder / "built", self.modules, ADDITION)
        self.samples["open"].append(opened)
        self.samples["build (open, from the first import)"].append(built)
        self.samples["layer"].append(layer)

    def _runs(self, environment: IsolatedEnvironment, label: str, samples: dict[str, list[float]]) -> None:
        time.sleep(PAUSE)
        call, result = ours.run(environment, time.monotonic)
        time.sleep(PAUSE)
        line, _ = ours.run(environment, self._app.first_line)
        samples[f"run to function, {label}"].append(call)
        samples[f"run to first line of the project, {label}"].append(line)
        samples[f"run, {label}"].append(result)

    def firehot(self) -> None:
        """Let firehot do the same. Once: it may take its time to fail."""
        taken, self.no_firehot = compared.firehot(self.folder / "firehot", self.modules, RUNS, PAUSE)
        self.samples.update(taken)

    def answer(self) -> dict[str, Any]:
        """What was measured since the last answer."""
        samples, self.samples = self.samples, defaultdict(list)
        return {"excluded": self.excluded, "no_firehot": self.no_firehot, "samples": list(samples.items())}


def main() -> None:
    """Measure rounds as long as they are asked for."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        os.chdir(name)
        template = Template(TEMPLATES[sys.argv[1]], Path(name), stack)
        template.firehot()
        for _ in sys.stdin:
            template.round()
            print(json.dumps(template.answer()), flush=True)


if __name__ == "__main__":
    main()
