"""Has a pipe that programs inherit when it opens an environment, and waits for its end afterwards."""

import os
import select
import sys

from app.main import answer
from hotreload import isolate_imports

PATIENCE = 10.0
"""Seconds. The end of the pipe comes at once or never."""

reader, writer = os.pipe()
os.set_inheritable(writer, True)
with isolate_imports("app") as environment:
    print(environment.communicate_isolated(environment.exec(answer)))
    os.close(writer)
    readable, _, _ = select.select([reader], [], [], PATIENCE)
    if not readable:
        sys.exit("somebody holds the pipe")
    print(os.read(reader, 1))
