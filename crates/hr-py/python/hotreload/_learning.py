"""Which modules a run had to load because its template did not have them: plug-ins, lazy loaders, names in strings."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from itertools import islice
from types import ModuleType

from hotreload import _native
from hotreload._loaders import is_standard

MOST = 1000
"""Modules that are told of after one run. What is left out, the next run will find out."""

_NOT_LEARNED = ("__main__", "__mp_main__", __package__)


class Learning:
    """What is loaded from now on."""

    def __init__(self, is_first_party: Callable[[str], bool]) -> None:
        self._is_first_party = is_first_party
        self._known = len(sys.modules)
        self._told: set[str] = set()

    def new(self) -> list[str]:
        """Names of the modules, in the order in which their imports ended."""
        # Importing moves a module to the end of `sys.modules` when it is done. What a program removes there only hides
        # as many of the oldest.
        return newest(len(sys.modules) - self._known)[::-1]

    def tell(self, job: _native.Job) -> None:
        """Let the next template have what this run had to load itself, but for the project's own modules."""
        with contextlib.suppress(Exception):  # a program may do anything to `sys.modules`
            loaded = [name for name in self.new() if self._can_be_preloaded(name, sys.modules.get(name))]
            if untold := [name for name in loaded[:MOST] if name not in self._told]:
                job.note_loaded(untold)
                self._told.update(untold)

    def is_first_party(self, file: str) -> bool:
        """Whether a file is the project's own."""
        return self._is_first_party(file)

    def _can_be_preloaded(self, name: object, module: ModuleType | None) -> bool:
        if not isinstance(name, str) or name.partition(".")[0] in _NOT_LEARNED:
            return False
        spec = getattr(module, "__spec__", None)
        # Neither what a program has made up, nor what was loaded under a name that is not its own.
        if spec is None or spec.name != name or not _is_loaded_as_usual(module):
            return False
        # To import it is to import its packages.
        packages = (sys.modules.get(name[:end]) for end, character in enumerate(name) if character == ".")
        if not all(package is None or _is_loaded_as_usual(package) for package in packages):
            return False
        # A namespace package has no file, and belongs to the project as soon as a part of it does.
        places = [spec.origin] if spec.has_location else spec.submodule_search_locations or ()
        return not any(isinstance(place, str) and self._is_first_party(place) for place in places)


def _is_loaded_as_usual(module: ModuleType | None) -> bool:
    """Whether a template would load it in the same way, and not without what an import hook makes of it."""
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    return loader is not None and is_standard(loader)


def newest(count: int) -> list[str]:
    """The last names in ``sys.modules``, the newest first."""
    # A copy would hold each module, and so write to it, and the kernel would copy the memory of them all.
    try:
        return list(islice(reversed(sys.modules), max(0, count)))
    except RuntimeError:  # it has just become longer: another thread imports
        return list(islice(reversed(sys.modules.copy()), max(0, count)))
