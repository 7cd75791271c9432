"""Imports what a template imports and forks, as often as each line of its input says. Prints the seconds a fork takes.

Usage: bare_fork.py MODULE...
"""

import importlib
import os
import sys
import time

for module in sys.argv[1:]:
    importlib.import_module(module)
for line in sys.stdin:
    forks = int(line)
    started = time.perf_counter()
    for _ in range(forks):
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
    print((time.perf_counter() - started) / forks, flush=True)
