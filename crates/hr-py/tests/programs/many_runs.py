"""Keeps more finished runs than it may have files open, and prints how many files it has open, as JSON."""

import json
import os
import resource
from contextlib import suppress

from app.main import answer
from hotreload import RunExited, isolate_imports

RUNS = 300
LIMIT = 256

resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


with isolate_imports("app") as environment:
    counts = []
    kept = []
    for number in range(RUNS):
        function = os._exit if number % 3 == 2 else answer
        kept.append(environment.exec(function, number % 256))
        with suppress(RunExited):
            environment.communicate_isolated(kept[-1])
        counts.append(open_files())
    again = [environment.communicate_isolated(run) for run in kept[:2]]
    print(json.dumps({"first": counts[0], "most": max(counts), "kept": len(kept), "again": again}))
