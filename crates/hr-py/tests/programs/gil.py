"""Waits for a run that another thread of this process must release. Whoever holds the GIL here never ends."""

import sys
import threading
from pathlib import Path

from app.main import wait_for_line
from hotreload import isolate_imports

pipe = Path(sys.argv[1])

with isolate_imports("app") as environment:
    run = environment.exec(wait_for_line, str(pipe))
    waiting = threading.Event()

    def release() -> None:
        waiting.wait()
        # Opening the pipe blocks until the run opens it too, so the main thread is long in its call by then.
        pipe.write_text("released\n")

    releaser = threading.Thread(target=release)
    releaser.start()
    waiting.set()
    print(environment.communicate_isolated(run), end="")
    releaser.join()
