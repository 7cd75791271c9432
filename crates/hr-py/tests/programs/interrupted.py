"""Waits for a run that never ends, until somebody presses Ctrl-C; then goes on with its work."""

import sys

from app.main import answer, wait_for_ever
from hotreload import isolate_imports

with isolate_imports("app") as environment:
    template = environment.template_pid
    run = environment.exec(wait_for_ever, sys.argv[1])
    try:
        print("waiting", flush=True)
        environment.communicate_isolated(run)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    print("stopped", environment.stop_isolated(run) in (True, False), flush=True)
    print("next", environment.communicate_isolated(environment.exec(answer)), flush=True)
    print("same template", environment.template_pid == template, flush=True)
