"""A program that watches its template being built. Prints what it has seen, as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from hotreload import BuildEvent, isolate_imports

seen: list[list[object]] = []


def watch(event: BuildEvent) -> None:
    seen.append([type(event).__name__, asdict(event)])


class Enough(Exception):
    """A callback that has seen enough."""


def refuse(event: BuildEvent) -> None:
    raise Enough(event)


told: dict[str, object] = {}
with isolate_imports("app", preload=["thread_library"], on_event=watch) as environment:
    told["open"] = list(seen)
    seen.clear()
    environment.update_environment()
    told["nothing changed"] = list(seen)
    Path("app/main.py").write_text(Path("app/main.py").read_text() + "\nimport late_library\n")
    environment.update_environment()
    told["update"] = list(seen)

try:
    with isolate_imports("app", on_event=refuse):
        pass
except Enough:
    told["refused"] = True

print(json.dumps(told))
