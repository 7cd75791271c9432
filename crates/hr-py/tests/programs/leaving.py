"""Leaves the `with` block while a run that never ends is there: in the way that the first argument names."""

import sys

from app.main import wait_for_ever
from hotreload import isolate_imports

way, announcement = sys.argv[1:]

with isolate_imports("app") as environment:
    environment.exec(wait_for_ever, announcement)
    with open(announcement) as pipe:
        pipe.read()
    if way == "exception":
        raise ValueError("left by an exception")
    if way == "sys.exit":
        sys.exit(6)
print("left")
