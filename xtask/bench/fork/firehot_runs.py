"""Runs a project with firehot. Prints what opening took and each run, in seconds: to its function, and to its result.

Usage: firehot_runs.py FOLDER RUNS PAUSE
"""

import json
import sys
import time

sys.path.insert(0, sys.argv[1])
import firehot
from app.runs import moment

if __name__ == "__main__":
    runs, pause = int(sys.argv[2]), float(sys.argv[3])
    first, result = [], []
    started = time.monotonic()
    with firehot.isolate_imports("app") as environment:
        opening = [time.monotonic() - started]
        for _ in range(runs):
            time.sleep(pause)
            started = time.monotonic()
            answer = float(environment.communicate_isolated(environment.exec(moment)))
            first.append(answer - started)
            result.append(time.monotonic() - started)
    print("samples", json.dumps([opening, first, result]))
