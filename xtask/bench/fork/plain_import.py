"""Imports what a template imports, then one more module. Prints the seconds that each took.

Usage: plain_import.py ADDITION MODULE...
"""

import importlib
import sys
import time

addition, *modules = sys.argv[1:]
started = time.perf_counter()
for module in modules:
    importlib.import_module(module)
imported = time.perf_counter()
importlib.import_module(addition)
print(imported - started, time.perf_counter() - imported)
