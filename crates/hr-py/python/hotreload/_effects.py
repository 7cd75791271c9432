"""What the imports of a template change beside modules, and a run must find changed: environment and search path.

A run takes both from its client, as a fresh process would. The imports would then have changed them there, too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable


class ImportEffects:
    """The environment and ``sys.path`` of a template, before its imports and after."""

    def __init__(self) -> None:
        self._environment = dict(os.environb)
        self._path: list[str] | None = None
        self._variables: dict[bytes, bytes | None] = {}
        self._path_after: list[str] = []

    def begin(self, sys_path: list[str]) -> None:
        """Imports will look in ``sys_path``, and where earlier imports have added to it."""
        sys.path[:] = self.path(sys_path)
        self._path = sys_path

    def settle(self) -> None:
        """Imports are over."""
        before, after = self._environment, dict(os.environb)
        names = before.keys() | after.keys()
        self._variables = {name: after.get(name) for name in names if before.get(name) != after.get(name)}
        self._path_after = list(sys.path)

    def environment(self, given: dict[bytes, bytes]) -> dict[bytes, bytes]:
        """What ``given`` is after the imports. A variable that is given another value than the template's keeps it."""
        environment = dict(given)
        for name, value in self._variables.items():
            if given.get(name) != self._environment.get(name):
                continue
            if value is None:
                environment.pop(name, None)
            else:
                environment[name] = value
        return environment

    def path(self, given: list[str]) -> list[str]:
        """What ``sys.path`` is after the imports if it was ``given`` before."""
        if self._path is None or not self._path_after:
            return given
        if given == self._path:
            return self._path_after
        known = {*self._path, *given}
        added = [entry for entry in self._path_after if entry not in known]
        in_front = set(_before_the_first_of(self._path_after, self._path))
        removed = set(self._path) - set(self._path_after)
        kept = [entry for entry in given if entry not in removed]
        return [
            *(entry for entry in added if entry in in_front),
            *kept,
            *(entry for entry in added if entry not in in_front),
        ]


def _before_the_first_of(entries: list[str], known: Iterable[str]) -> list[str]:
    places = [entries.index(entry) for entry in known if entry in entries]
    return entries[: min(places, default=0)]
