"""What the imports of a template change beside modules, and a run must find changed: environment and search path.

A run takes both from its client, as a fresh process would. The imports would then have changed them there, too.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from hotreload import _native


def variables() -> dict[bytes, bytes]:
    """A copy of this process's environment."""
    # Through the mapping, each name and value would be looked up and converted: thirty times slower.
    held: object = getattr(os.environb, "_data", None)
    return dict(held) if type(held) is dict else dict(os.environb)


class ImportEffects:
    """The environment and ``sys.path`` of a template, before its imports and after."""

    def __init__(self) -> None:
        self._block = _given_block()
        self._environment = _given_environment(self._block)
        self._path: list[str] | None = None
        self._variables: dict[bytes, bytes | None] = {}
        self._path_after: list[str] = []

    def begin(self, sys_path: list[str]) -> None:
        """Imports will look in ``sys_path``, and where earlier imports have added to it."""
        sys.path[:] = self.path(sys_path)
        self._path = sys_path

    def settle(self) -> None:
        """Imports are over."""
        before, after = self._environment, variables()
        names = before.keys() | after.keys()
        self._variables = {name: after.get(name) for name in names if before.get(name) != after.get(name)}
        self._path_after = list(sys.path)

    def are_those_of(self, job: _native.Job) -> bool:
        """Whether this process, whose imports are over, has the environment that ``job`` is to have after them.

        Told without making, or looking at, a single variable: to look at an object is to copy its page.
        """
        return bool(self._block) and job.has_environment(self._block)

    def given(self) -> tuple[dict[bytes, bytes], list[str]]:
        """Environment and search path before the imports."""
        return self._environment, sys.path if self._path is None else self._path

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


class Write(NamedTuple):
    """A variable that the project sets while it is loaded. ``value`` is ``None`` if only a run can tell."""

    variable: str
    value: str | None
    only_if_unset: bool
    place: str


class EnvironmentWrites:
    """What the project will have written to the environment when it imports a module.

    The module is to find it, but it is for the project to write it in each run: so it is there during the import only.
    """

    def __init__(self, writes: Iterable[tuple[str, str | None, bool, str]] = ()) -> None:
        self._writes = [Write(*write) for write in writes]
        self._undecided: dict[str, str] = {}

    @contextlib.contextmanager
    def carried_out(self, number: int) -> Iterator[None]:
        """Have the first ``number`` of them carried out for a while."""
        before: dict[str, str | None] = {}
        self._undecided = {}
        for variable, value, only_if_unset, place in self._writes[:number]:
            if only_if_unset and (variable in os.environ or variable in self._undecided):
                continue
            if value is None:
                self._undecided[variable] = place
            else:
                before.setdefault(variable, os.environ.get(variable))
                os.environ[variable] = value
                self._undecided.pop(variable, None)
        written = {variable: os.environ.get(variable) for variable in before}
        try:
            yield
        finally:
            for variable, value in before.items():
                if os.environ.get(variable) != written[variable]:
                    continue  # the import has set it in turn
                if value is None:
                    os.environ.pop(variable, None)
                else:
                    os.environ[variable] = value

    def undecided(self, variables: Iterable[str]) -> tuple[str, str] | None:
        """The first of ``variables`` that has an unknown value then, and the place that decides."""
        return next(((name, self._undecided[name]) for name in variables if name in self._undecided), None)


class EnvironmentReads:
    """Which environment variables imports ask for.

    Reading a variable is recorded, also if there is none. Copying all of them is not: that is for child processes.
    """

    def __init__(self) -> None:
        self._read: set[Any] = set()
        self._read_before: set[Any] = set()
        self._copied: set[Any] = set()
        self._kind: Any = type(os.environ)
        self._originals = {name: getattr(self._kind, name) for name in ("__getitem__", "__iter__")}

    def record(self, notice: Callable[[Any], None] | None = None) -> None:
        """Watch what is read from now on, and tell ``notice`` of each."""
        self._read_before |= self._read
        self._read = set()
        get_item, iterate = self._originals["__getitem__"], self._originals["__iter__"]

        def watched_get_item(environ: Any, key: Any) -> Any:
            if key in self._copied:
                self._copied.discard(key)
            else:
                self._read.add(key)
                if notice is not None:
                    notice(key)
            return get_item(environ, key)

        def watched_iterate(environ: Any) -> Iterator[Any]:
            for key in iterate(environ):
                self._copied.add(key)
                yield key

        self._kind.__getitem__ = watched_get_item
        self._kind.__iter__ = watched_iterate

    def rest(self) -> None:
        """Watch no longer."""
        for name, original in self._originals.items():
            setattr(self._kind, name, original)
        self._copied.clear()

    def latest(self) -> list[str]:
        """What was read since the last :meth:`record`, whether it had been read before or not."""
        return _names(self._read)

    def names(self) -> list[str]:
        """What was read so far."""
        return _names(self._read_before | self._read)


def _given_block() -> bytes:
    """The environment that this process was started with. The interpreter itself may have changed it (``LC_CTYPE``)."""
    try:
        with open("/proc/self/environ", "rb") as file:
            return file.read()
    except OSError:
        return b""


def _given_environment(block: bytes) -> dict[bytes, bytes]:
    if not block:
        return variables()
    given: dict[bytes, bytes] = {}
    for entry in block.split(b"\0"):
        name, separator, value = entry.partition(b"=")
        if separator:
            given.setdefault(name, value)  # of two, the first counts
    return given


def _names(keys: Iterable[Any]) -> list[str]:
    return sorted({os.fsdecode(key) for key in keys if isinstance(key, str | bytes)})


def _before_the_first_of(entries: list[str], known: Iterable[str]) -> list[str]:
    places = [entries.index(entry) for entry in known if entry in entries]
    return entries[: min(places, default=0)]
