"""Cached bytecode that may not belong to the source beside it.

CPython takes a ``.pyc`` for current if it names the source's size and modification time *in whole seconds*. An edit
that keeps the size, within the second in which an earlier state was compiled, is invisible to that check. So bytecode
is used only if it was written after that second was over; and none is written before. For files that people edit, it
must also be younger than the last change of the file's inode, which `cp -p` and `touch` cannot turn back.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from importlib.machinery import SourceFileLoader
from importlib.util import cache_from_source
from typing import Any

from hotreload import _native

CLOCK_TICK = 0.02
"""Seconds by which a file's time may lag behind the clock."""

COMPILE_TIME = 1.0
"""Seconds a compiler may take between reading a source and writing its bytecode."""

INSTALLED_LATELY = 60.0
"""Seconds for which an installed file is looked at as closely as an edited one. Images that are built reproducibly give
source and bytecode the same old time; distrusting these would compile the whole environment."""

_path_stats = SourceFileLoader.path_stats
_get_code = SourceFileLoader.get_code.__code__


def distrust(edited: Callable[[str], bool]) -> None:
    """Make source loaders disregard bytecode that may be older than its source.

    ``edited`` tells which files people edit; for these, time for the compiler is added. Class and frames of the
    loader stay CPython's own: only the method that looks at a source's time is another.
    """

    @_native.Undisturbed
    def path_stats(self: SourceFileLoader, path: str) -> Mapping[str, Any]:
        stats = _path_stats(self, path)
        if sys._getframe(1).f_code is not _get_code:
            return stats  # somebody else asks, such as py_compile, and means the file's times
        ours = edited(path)
        if not ours and stats["mtime"] < time.time() - INSTALLED_LATELY:
            return stats
        settled = int(stats["mtime"]) + 1 + CLOCK_TICK
        if ours:
            # Tools that copy times do not get at this one.
            settled = max(settled, os.stat(path).st_ctime + CLOCK_TICK) + COMPILE_TIME
        bytecode = _written(path)
        written_when = time.time() if bytecode is None else bytecode[1]
        if written_when >= settled:
            return stats
        if bytecode is not None and time.time() >= settled and not sys.dont_write_bytecode and _remove(bytecode[0]):
            return stats
        # To `SourceLoader.get_code` this means: neither read bytecode nor write any.
        raise OSError(f"{path} was modified too recently for its bytecode to tell")

    SourceFileLoader.path_stats = path_stats  # type: ignore[method-assign]


def _written(path: str) -> tuple[str, float] | None:
    try:
        bytecode = cache_from_source(path)
        return bytecode, os.stat(bytecode).st_mtime
    except (OSError, NotImplementedError):
        return None


def _remove(path: str) -> bool:
    try:
        os.unlink(path)
    except OSError:
        return False
    return True
