"""Has multiprocessing's fork server start a process for each line of its input. Prints the seconds that it takes.

Usage: forkserver.py MODULE...
"""

import multiprocessing
import sys
import time


def nothing() -> None:
    """What the process does."""


if __name__ == "__main__":
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(sys.argv[1:])
    for _ in sys.stdin:
        started = time.perf_counter()
        process = context.Process(target=nothing)
        process.start()
        process.join()
        print(time.perf_counter() - started, flush=True)
