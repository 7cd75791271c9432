"""Works although standard streams are closed, and writes what it saw to the file named by its argument, as JSON."""

import json
import os
import sys

from hotreload import isolate_imports


def closed() -> list[int]:
    found = []
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            found.append(descriptor)
    return found


def streams() -> list[bool]:
    return [stream is None for stream in (sys.stdin, sys.stdout, sys.stderr)]


def seen(block: bytes) -> tuple[list[int], list[bool], bytes]:
    print("printed by a run")
    return closed(), streams(), block


told = {"user": [closed(), streams()], "runs": []}
with isolate_imports("app") as environment:
    for size in (10, 1_000_000, 10):
        *state, block = environment.communicate_isolated(environment.exec(seen, bytes(size)))
        assert block == bytes(size)
        told["runs"].append(state)
    told["user afterwards"] = [closed(), streams()]

with open(sys.argv[1], "w") as file:
    json.dump(told, file)
