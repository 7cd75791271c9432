"""Opens, uses and leaves an environment that has much to say. With an argument, waits in a run that never ends."""

import sys

from app.main import answer, wait_for_ever
from hotreload import isolate_imports

with isolate_imports("app") as environment:
    print("entered", len(environment.excluded), flush=True)
    print("ran", environment.communicate_isolated(environment.exec(answer)), flush=True)
    if sys.argv[1:]:
        environment.communicate_isolated(environment.exec(wait_for_ever, sys.argv[1]))
print("left", flush=True)
