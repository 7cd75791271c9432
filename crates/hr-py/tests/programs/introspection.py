"""A program that tells what it can see of itself."""

import gc
import json
import os
import signal
import sys
import threading
from types import FrameType


def work(number: int) -> tuple[int, str]:
    """For processes of multiprocessing."""
    return number * 2, __name__


if __name__ == "__main__":
    import multiprocessing.spawn

    spec = globals()["__spec__"]
    frames: list[tuple[str, str]] = []
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        frames.append((frame.f_code.co_name, frame.f_code.co_filename))
        frame = frame.f_back
    prepared = multiprocessing.spawn.get_preparation_data("child")
    del prepared["authkey"]
    seen = {
        "arguments": sys.argv,
        "original arguments": sys.orig_argv,
        "path": sys.path,
        "names": [name for name in globals() if name.startswith("__")],
        "file": __file__,
        "cached": globals().get("__cached__", "none"),
        "package": __package__,
        "documentation": __doc__,
        "annotations": repr(globals().get("__annotations__", "none")),
        "builtins": type(__builtins__).__name__,
        "loader": [type(globals()["__loader__"]).__name__, getattr(globals()["__loader__"], "name", None)],
        "spec": None if spec is None else [spec.name, spec.origin, spec.cached, spec.parent],
        "is main": vars(sys.modules["__main__"]) is globals(),
        "frames": frames,
        "flags": repr(sys.flags),
        "prepared for spawn": prepared,
        "directory": os.getcwd(),
        "collector": [gc.isenabled(), gc.get_threshold()],
        "main thread": threading.current_thread() is threading.main_thread(),
        "interrupt": repr(signal.getsignal(signal.SIGINT)).partition(" at ")[0],
        "streams": [[one.encoding, one.errors, one.line_buffering, one.isatty()] for one in (sys.stdin, sys.stdout)],
        "last": [name for name in vars(sys) if name.startswith("last_")],
        "hooks": [sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__],
    }
    print(json.dumps(seen, indent=1, default=repr), flush=True)
