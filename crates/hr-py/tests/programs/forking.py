"""Forks by itself while an environment is open, and prints what still works, as JSON."""

import json
import os
import sys

from app.main import answer, fork, fork_and_return
from hotreload import isolate_imports

with isolate_imports("app") as environment:
    before = environment.exec(answer, 1)
    child = os.fork()
    if child == 0:
        sys.exit(0)  # leaves the `with` block in the child, and must not end what belongs to its parent
    os.waitpid(child, 0)
    results = [
        environment.communicate_isolated(before),
        environment.communicate_isolated(environment.exec(answer, 2)),
        environment.communicate_isolated(environment.exec(fork)),
        environment.communicate_isolated(environment.exec(fork_and_return)),
    ]

print(json.dumps(results))
