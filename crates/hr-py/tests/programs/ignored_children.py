"""Ignores SIGCHLD, as servers do that start processes and do not care for them. Prints how runs ended, as JSON."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable

from app.main import answer
from hotreload import RunExited, isolate_imports


def start_another() -> int:
    return subprocess.run([sys.executable, "-c", "raise SystemExit(3)"], check=False).returncode


def ending(function: Callable[..., object], *args: object) -> int | None:
    try:
        environment.communicate_isolated(environment.exec(function, *args))
    except RunExited as end:
        return end.returncode
    return 0


signal.signal(signal.SIGCHLD, signal.SIG_IGN)

with isolate_imports("app") as environment:
    value = environment.communicate_isolated(environment.exec(answer))
    status = environment.communicate_isolated(environment.exec(start_another))
    print(json.dumps([value, status, ending(os._exit, 7), ending(os.abort)]))
