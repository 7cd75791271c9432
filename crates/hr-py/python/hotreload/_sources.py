"""Source files that a program has loaded and nobody has installed: the project's own, and a checkout beside it, say.

Both are edited. Who starts the program again when files change is told of them: to hear of changes elsewhere, and to
know that a file which cannot be parsed just now is one the program needs.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable
from itertools import islice
from types import CodeType
from typing import Any

from hotreload import _native
from hotreload._learning import Learning

MOST = 500
"""Files that are told of at a time; a message has 64 KiB."""

_INSTALLED = ("/site-packages/", "/dist-packages/", "/lib-dynload/")
_NEITHER = tuple({os.path.dirname(place) + os.sep for place in (__file__, os.__file__, os.path.realpath(os.__file__))})
"""This package and the standard library."""


class Sources:
    """What was loaded, by the template and by the run."""

    EVENTS = ("compile", "exec")
    """The audit events that tell of more: of a source file that is parsed, and of a module that is executed."""

    def __init__(self) -> None:
        self._untold: dict[str, None] = {}
        self._told: dict[str, None] = {}
        self._run: int | None = None
        """The run that has told."""

    def loaded_by_template(self, files: Iterable[str]) -> None:
        """The template has imported these; every run of it has loaded them."""
        self._untold |= dict.fromkeys(filter(_is_edited, files))

    def begin_with(self, file: str) -> None:
        """The program is this file."""
        self._untold[file] = None

    def hear(self, event: str, args: tuple[Any, ...], job: _native.Job, learning: Learning) -> None:
        """An audit event: a module that cannot be parsed is loaded by nobody, and needed all the same."""
        with contextlib.suppress(Exception):  # whatever is the matter with it, it is not the program's fault
            file = args[1] if event == "compile" else _module_of(args[0])
            # The native filter lets only absolute paths through.
            if isinstance(file, str) and file not in self._told and _is_edited(file):
                self._untold[file] = None
                if job.run == self._run:
                    self._send(job, learning)

    def tell(self, job: _native.Job, learning: Learning) -> None:
        """Tell of what was not told of before, and from now on of what comes at once."""
        with contextlib.suppress(Exception):  # a program may do anything to `sys.modules`
            if job.run != self._run:
                # What another run has told that this one goes on from, was told of that.
                self._untold = {**self._told, **self._untold}
                self._told, self._run = {}, job.run
            files = [file for name in ("__main__", *learning.new()) if (file := _file_of(name))]
            self._untold |= dict.fromkeys(files)
            self._send(job, learning)

    def _send(self, job: _native.Job, learning: Learning) -> None:
        # Another thread may load something just now.
        untold, self._untold = self._untold, {}
        new = [file for file in untold if file not in self._told and _is_edited(file)]
        self._told |= dict.fromkeys(new)
        loaded = iter([file for file in new if os.path.isfile(file)])
        while some := list(islice(loaded, MOST)):
            own = [file for file in some if learning.is_first_party(file)]
            job.note_sources(_by_directory(own), _by_directory(set(some).difference(own)))


def _module_of(code: object) -> str | None:
    """The file of a module's code."""
    return code.co_filename if isinstance(code, CodeType) and code.co_name == "<module>" else None


def _file_of(name: str) -> str | None:
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    file = spec.origin if spec is not None and spec.has_location else vars(module).get("__file__")
    return os.path.abspath(file) if isinstance(file, str) else None


def _is_edited(file: str) -> bool:
    if file.startswith(_NEITHER):
        return False
    return not any(part in file for part in _INSTALLED)


def _by_directory(files: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Directories, and the names of the files in each: most have one in common."""
    found: dict[str, list[str]] = {}
    for file in files:
        directory, name = os.path.split(file)
        found.setdefault(directory, []).append(name)
    return list(found.items())
