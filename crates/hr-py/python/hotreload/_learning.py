"""Which modules a run had to load because its template did not have them: plug-ins, lazy loaders, names in strings."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import islice
from types import ModuleType

MOST = 1000
"""Modules that are told of after one run. What is left out, the next run will find out."""

_NOT_LEARNED = ("__main__", "__mp_main__", __package__)


class Learning:
    """What is loaded from now on."""

    def __init__(self, is_first_party: Callable[[str], bool]) -> None:
        self._is_first_party = is_first_party
        self._known = len(sys.modules)

    def loaded(self) -> list[str]:
        """Names of the modules, in the order in which their imports ended, without the project's own."""
        # Importing moves a module to the end of `sys.modules` when it is done. What a program removes there only hides
        # as many of the oldest.
        new = _newest(max(0, len(sys.modules) - self._known))
        return [name for name in reversed(new) if self._can_be_preloaded(name, sys.modules.get(name))][:MOST]

    def _can_be_preloaded(self, name: object, module: ModuleType | None) -> bool:
        if not isinstance(name, str) or name.partition(".")[0] in _NOT_LEARNED:
            return False
        spec = getattr(module, "__spec__", None)
        # Neither what a program has made up, nor what was loaded under a name that is not its own.
        if spec is None or spec.loader is None or spec.name != name:
            return False
        # A namespace package has no file, and belongs to the project as soon as a part of it does.
        places = [spec.origin] if spec.has_location else spec.submodule_search_locations or ()
        return not any(isinstance(place, str) and self._is_first_party(place) for place in places)


def _newest(count: int) -> list[str]:
    """The last names in ``sys.modules``, the newest first."""
    # A copy would hold each module, and so write to it, and the kernel would copy the memory of them all.
    try:
        return list(islice(reversed(sys.modules), count))
    except RuntimeError:  # it has just become longer: another thread imports
        return list(islice(reversed(sys.modules.copy()), count))
