"""Files that a program has loaded from outside its project and that nobody has installed: a checkout beside it, say.

They are edited like the project's own. Who starts the program again when files change is told of them.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable
from pathlib import PurePath

from hotreload import _native
from hotreload._learning import Learning

MOST = 1000
"""Files that are told of at a time."""

_INSTALLED = {"site-packages", "dist-packages"}
_STANDARD_LIBRARY = tuple({os.path.dirname(os.__file__) + os.sep, os.path.dirname(os.path.realpath(os.__file__)) + os.sep})
_OURS = os.path.dirname(__file__) + os.sep


class Outside:
    """What was loaded from there, by the template and by the run."""

    def __init__(self) -> None:
        self._untold: list[str] = []
        self._told: set[str] = set()

    def loaded_by_template(self, files: Iterable[str]) -> None:
        """The template has imported these; every run of it has loaded them."""
        self._untold += filter(_is_outside, files)

    def tell(self, job: _native.Job, learning: Learning) -> None:
        """Tell of what was not told of before."""
        with contextlib.suppress(Exception):  # a program may do anything to `sys.modules`
            loaded = ["__main__", *learning.new()]
            files = [file for name in loaded if (file := _file_of(name)) and not learning.is_first_party(file)]
            untold = dict.fromkeys(file for file in self._untold + files if file not in self._told)
            self._untold = []
            if outside := [file for file in untold if _is_outside(file)][:MOST]:
                job.note_outside(outside)
            self._told.update(untold)


def _file_of(name: str) -> str | None:
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    file = spec.origin if spec is not None and spec.has_location else vars(module).get("__file__")
    return os.path.abspath(file) if isinstance(file, str) else None


def _is_outside(file: str) -> bool:
    if file.startswith((*_STANDARD_LIBRARY, _OURS)) or "lib-dynload" in file:
        return False
    return _INSTALLED.isdisjoint(PurePath(file).parts) and os.path.isfile(file)
