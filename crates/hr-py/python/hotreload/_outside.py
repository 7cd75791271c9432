"""Files that a program has loaded from outside its project and that nobody has installed: a checkout beside it, say.

They are edited like the project's own. Who starts the program again when files change is told of them.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable

from hotreload import _native
from hotreload._learning import Learning

MOST = 1000
"""Files that are told of at a time."""

_INSTALLED = ("/site-packages/", "/dist-packages/", "/lib-dynload/")
_NOT_OUTSIDE = tuple(
    {os.path.dirname(place) + os.sep for place in (__file__, os.__file__, os.path.realpath(os.__file__))}
)
"""This package and the standard library."""


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
            files = [*self._untold, *(file for name in loaded if (file := _file_of(name)))]
            self._untold = []
            untold = dict.fromkeys(file for file in files if file not in self._told and _is_outside(file))
            self._told.update(untold)
            if outside := [file for file in untold if not learning.is_first_party(file) and os.path.isfile(file)]:
                job.note_outside(outside[:MOST])


def _file_of(name: str) -> str | None:
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    file = spec.origin if spec is not None and spec.has_location else vars(module).get("__file__")
    return os.path.abspath(file) if isinstance(file, str) else None


def _is_outside(file: str) -> bool:
    if file.startswith(_NOT_OUTSIDE):
        return False
    return not any(part in file for part in _INSTALLED)
