"""Makes every mistake one can make in a call, and prints what came of each, as JSON."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.main import answer
from hotreload import isolate_imports

if TYPE_CHECKING:
    from collections.abc import Callable

told: dict[str, list[str]] = {}


def children() -> str:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text()


def attempt(label: str, call: Callable[[], Any]) -> None:
    before = children()
    try:
        call()
    except Exception as error:
        told[label] = [type(error).__name__, str(error)]
    else:
        told[label] = ["nothing", ""]
    if children() != before:
        told[label].append("a process was started")


wrong: Any = 3
attempt("package: int", lambda: isolate_imports(wrong))
attempt("package: bytes", lambda: isolate_imports(b"app"))  # type: ignore[arg-type]
attempt("package: empty", lambda: isolate_imports(""))
attempt("package: no name", lambda: isolate_imports("no name!"))
attempt("package: relative", lambda: isolate_imports(".app"))
attempt("ignored_modules: int", lambda: isolate_imports("app", ignored_modules=wrong))
attempt("ignored_modules: str", lambda: isolate_imports("app", ignored_modules="json"))
attempt("ignored_modules: of int", lambda: isolate_imports("app", ignored_modules=[wrong]))
attempt("ignored_modules: no name", lambda: isolate_imports("app", ignored_modules=["no name!"]))
attempt("preload: str", lambda: isolate_imports("app", preload="json"))
attempt("preload: no name", lambda: isolate_imports("app", preload=["no name!"]))
attempt("preload: ignored", lambda: isolate_imports("app", preload=["json.tool"], ignored_modules=["json"]))
attempt("import_limit: str", lambda: isolate_imports("app", import_limit="1"))  # type: ignore[arg-type]
attempt("import_limit: zero", lambda: isolate_imports("app", import_limit=0))
attempt("import_limit: no number", lambda: isolate_imports("app", import_limit=float("nan")))
attempt("on_event: int", lambda: isolate_imports("app", on_event=wrong))
attempt("spares: str", lambda: isolate_imports("app", spares="1"))  # type: ignore[arg-type]
attempt("spares: float", lambda: isolate_imports("app", spares=1.0))  # type: ignore[arg-type]
attempt("spares: bool", lambda: isolate_imports("app", spares=True))
attempt("spares: negative", lambda: isolate_imports("app", spares=-1))
attempt("spares: too many", lambda: isolate_imports("app", spares=1000))
attempt("unknown keyword", lambda: isolate_imports("app", ignore=["json"]))  # type: ignore[call-arg]

with isolate_imports("app") as environment, isolate_imports("app") as other:
    attempt("function: int", lambda: environment.exec(wrong))
    attempt("name: int", lambda: environment.exec(answer, name=wrong))
    attempt("argument: lock", lambda: environment.exec(answer, threading.Lock()))
    attempt("communicate: int", lambda: environment.communicate_isolated(wrong))
    attempt("stop: int", lambda: environment.stop_isolated(wrong))
    foreign = other.exec(answer)
    attempt("communicate: of another environment", lambda: environment.communicate_isolated(foreign))
    attempt("stop: of another environment", lambda: environment.stop_isolated(foreign))
    told["still works"] = [str(environment.communicate_isolated(environment.exec(answer)))]

attempt("exec: closed", lambda: environment.exec(answer))
attempt("update: closed", environment.update_environment)

print(json.dumps(told))
