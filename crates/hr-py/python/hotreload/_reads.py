"""What imports look at beside modules: files they open, directories they list, modules they ask for in vain.

A template that has looked at something is out of date when that changes, just as one whose modules change: a
configuration file that is edited, a plug-in that is installed, an accelerator that was not there before.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.machinery import BYTECODE_SUFFIXES, EXTENSION_SUFFIXES, SOURCE_SUFFIXES, FileFinder
from importlib.util import source_from_cache
from typing import Any, NamedTuple, TypeAlias

from hotreload import _native

Stamp: TypeAlias = tuple[int, int, int, int, int]
"""Size, time of modification and of change in nanoseconds, inode, device."""

Listing: TypeAlias = tuple[str, str, "list[str] | None"]
"""A directory; ``everything``, ``distributions`` or ``modules``, whichever of its entries matter; and their names."""

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_NOT_KEPT = ("/proc/", "/sys/", "/dev/")
"""Where files are not what somebody wrote but what the kernel says now."""

_CHANGES = {"os.rename": 1, "os.link": 1, "os.symlink": 1, "os.remove": 0, "os.mkdir": 0, "os.rmdir": 0, "os.utime": 0}
"""Audit events of changes to the file system, and which argument names what is changed."""

CLOCK_TICK = 10_000_000
"""Nanoseconds by which a file's time may lag behind the clock, at the slowest ``HZ`` of 100. A file that was written
less than that ago may be written again without its showing."""

_LISTS_FOR_IMPORT = getattr(FileFinder, "_fill_cache").__code__  # noqa: B009 - not part of the interface
_DISTRIBUTIONS = (".dist-info", ".egg-info")
_MODULES = tuple(dict.fromkeys((*SOURCE_SUFFIXES, *BYTECODE_SUFFIXES, *EXTENSION_SUFFIXES)))


class Loaded(NamedTuple):
    """What a process has consumed. The fields are those of ``Loaded`` in the protocol."""

    files: list[str]
    names: list[tuple[str, str]]
    absent: list[str]
    variables: list[str]
    opened: list[tuple[str, Stamp | None, int | None]]
    listed: list[Listing]
    profile: Any


class FileReads:
    """Which files imports open and which directories they list, and the state in which each was found.

    Modules, and the listings that importing takes, are not among them: those are known otherwise. Nor is what the
    imports have written themselves, such as a cache.
    """

    EVENTS = ("open", "os.listdir", "os.scandir", *_CHANGES)
    """The audit events that tell of them."""

    def __init__(self) -> None:
        self._filter = _native.AuditFilter(list(self.EVENTS), self.hear)
        self._hooked = False
        self._files: dict[str, Stamp | None] = {}
        self._listings: dict[tuple[str, str], list[str] | None] = {}
        self._written: set[str] = set()

    def record(self) -> None:
        """Watch from now on."""
        if not self._hooked:
            # A hook stays for ever; it costs a run a native call for each event.
            sys.addaudithook(self._filter)
            self._hooked = True
        self._filter.listen(True)

    def rest(self) -> None:
        """Watch no longer."""
        self._filter.listen(False)

    def hand_over(self, events: Sequence[str], listener: Callable[[str, tuple[Any, ...]], None]) -> None:
        """Let ``listener`` have ``events`` from now on, and nothing else: a second hook would cost as much."""
        self._filter.redirect(list(events), listener)
        self.record()

    def files(self) -> dict[str, Stamp | None]:
        """The files that were opened, or not found, and their state at that moment."""
        return {path: stamp for path, stamp in self._files.items() if path not in self._written}

    def listings(self) -> list[Listing]:
        """The directories that were listed, what was looked for, and what was found.

        What the imports have added or removed themselves counts as found in its present state.
        """
        own: dict[str, set[str]] = {}
        for path in self._written:
            directory, name = os.path.split(path)
            own.setdefault(directory, set()).add(name)
        return [
            (path, kind, names if names is None else _with_own(path, kind, names, own.get(path, set())))
            for (path, kind), names in self._listings.items()
        ]

    def hear(self, event: str, args: tuple[Any, ...], depth: int = 1) -> None:
        """Take note of an audit event. ``depth`` frames from here is what has raised it."""
        # Whatever is wrong with it, the import is told so in a moment.
        with contextlib.suppress(OSError, ValueError, TypeError, IndexError):
            if event == "open":
                self._opened(*args)
            elif event in _CHANGES:
                self._written.update(_path(args[_CHANGES[event]]))
            else:
                self._listed(args[0], sys._getframe(depth).f_code)

    def _opened(self, file: object, mode: str | None, flags: int) -> None:
        for path in _path(file):
            if flags & _WRITES or (mode is not None and not {"w", "a", "x", "+"}.isdisjoint(mode)):
                self._written.add(path)
            elif not path.endswith(".pyc") and not path.startswith(_NOT_KEPT) and path not in self._files:
                self._files[path] = stamp_of(path)

    def _listed(self, directory: object, by: Any) -> None:
        if by is _LISTS_FOR_IMPORT:
            return
        kind = "distributions" if os.path.join("importlib", "metadata") in by.co_filename else "everything"
        for path in _path(directory if directory is not None else os.curdir):
            if (path, kind) not in self._listings and not path.startswith(_NOT_KEPT):
                self._listings[path, kind] = _names(path, kind)


class RunReads(FileReads):
    """The same for a run, a part of it at a time. Modules are told of as well, and nothing is left out."""

    def __init__(self, is_first_party: Callable[[str], bool]) -> None:
        super().__init__()
        self._is_first_party = is_first_party
        self._unsettled: set[str] = set()
        self._contents: dict[str, int | None] = {}
        """What is in the project's own small files, of those that were opened."""
        self._cached: str | None = None
        """Where the bytecode of the module lies that was told of last."""

    def note_module(self, file: str, cached: str | None = None) -> None:
        """A module is about to be loaded from ``file``, or from bytecode that stands for it in ``cached``."""
        self._cached = cached
        if file not in self._files and file not in self._unsettled:
            stamp = stamp_of(file)
            if stamp is not None and time.time_ns() - max(stamp[1:3]) < CLOCK_TICK:
                self._unsettled.add(file)
            else:
                self._files[file] = stamp

    def take(self) -> tuple[list[str], list[tuple[str, Stamp | None, int | None]], list[Listing]]:
        """What was found since the last time.

        Files that may have been written while they were read; others with their states, and what is in them, where that
        is known; and directories.
        """
        # What the program has written, or removed, is as it is now. Whoever changes that changes what would be found:
        # the program itself, say, which removes at its end what it has made at its beginning.
        written = (path for path in self._written if "__pycache__" not in path)
        files = self._files | {path: stamp_of(path) for path in written}
        unsettled = self._unsettled - self._written
        opened = [(path, stamp, self._content(path, stamp)) for path, stamp in files.items() if path not in unsettled]
        return sorted(unsettled), opened, self.listings()

    def _content(self, path: str, stamp: Stamp | None) -> int | None:
        # If it was written meanwhile, nobody can tell whether the program has read it before or after.
        if path in self._written or stamp_of(path) != stamp:
            return None
        return self._contents.get(path)

    def forget(self) -> object:
        """It is told of. What there was."""
        told = self._files, self._listings, self._written, self._unsettled, self._contents
        self._files, self._listings, self._written, self._unsettled, self._contents = {}, {}, set(), set(), {}
        return told

    def _opened(self, file: object, mode: str | None, flags: int) -> None:
        if isinstance(file, str) and file == self._cached and not flags & _WRITES:
            return  # nearly all that imports open
        for path in _path(file):
            if path.endswith(".pyc"):
                # It stands for its source, which may never be opened. If nobody has told of that, its time was looked
                # at before this.
                if not flags & _WRITES:
                    with contextlib.suppress(ValueError):
                        path = source_from_cache(path) if "__pycache__" in path else path  # noqa: PLW2901
                    if path not in self._files:
                        self._unsettled.add(path)
            else:
                super()._opened(path, mode, flags)
                if path in self._files and path not in self._contents and self._is_first_party(path):
                    self._contents[path] = _native.content_of(path)

    def _listed(self, directory: object, by: Any) -> None:
        if by is not _LISTS_FOR_IMPORT:
            return super()._listed(directory, by)
        for path in _path(directory if directory is not None else os.curdir):
            # What is installed changes by installing, which is noticed otherwise.
            if (path, "modules") not in self._listings and self._is_first_party(path):
                self._listings[path, "modules"] = _names(path, "modules")
        return None


class ModuleLookups:
    """Modules that were asked for and not found: they may appear."""

    def __init__(self) -> None:
        self._asked: dict[str, tuple[str, ...]] = {}

    def note(self, name: str, path: Sequence[str] | None) -> None:
        """A search for ``name`` begins, in ``path`` or, at the top level, in ``sys.path``."""
        self._asked.setdefault(name, tuple(path or ()))

    def forget(self) -> object:
        """What was asked for by now has been told. What is built on top of this need not look through it again.

        Returns what there was.
        """
        told, self._asked = self._asked, {}
        return told

    def absent(self, finds: Callable[[str], bool]) -> list[str]:
        """Top-level modules that were not found. A module that is found and cannot be executed is not absent."""
        unknown = (name for name in self._asked if "." not in name and name not in sys.modules)
        return sorted(name for name in unknown if not finds(name))

    def absent_files(self) -> list[str]:
        """Files as which submodules would have been found."""
        return [file for file in self._submodule_files() if not os.path.exists(file)]

    def broken_files(self) -> list[str]:
        """Files of submodules that were found and could not be executed."""
        return [file for file in self._submodule_files() if os.path.exists(file)]

    def _submodule_files(self) -> Iterator[str]:
        endings = (*SOURCE_SUFFIXES, *EXTENSION_SUFFIXES, os.sep + "__init__.py")
        for name, path in self._asked.items():
            if "." in name and name not in sys.modules:
                for directory in path:
                    if isinstance(directory, str) and os.path.isabs(directory):
                        place = os.path.join(directory, name.rpartition(".")[2])
                        yield from (place + ending for ending in endings)


def stamp_of(path: str) -> Stamp | None:
    """The state of a file; ``None`` if there is none."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev


def _with_own(directory: str, kind: str, names: list[str], own: set[str]) -> list[str]:
    if not own:
        return names
    now = own.intersection(_names(directory, kind) or ())
    return sorted(now.union(names) - (own - now))


def _names(directory: str, kind: str) -> list[str] | None:
    try:
        names = os.listdir(directory)
    except OSError:
        return None
    if kind == "distributions":
        return sorted(name for name in names if name.endswith(_DISTRIBUTIONS))
    if kind == "modules":
        return sorted(filter(_is_module, names))
    return sorted(names)


def _is_module(name: str) -> bool:
    """Whether an entry of a directory may be what an import finds. Editors leave others.

    A file may have any name: no statement imports ``0001_initial``, but ``importlib.import_module`` does.
    """
    stem, _, ending = name.partition(".")
    if ending:
        return stem != "" and not stem.startswith("#") and name.endswith(_MODULES)
    return stem.isidentifier() and name != "__pycache__"


def _path(file: object) -> Iterable[str]:
    """The absolute path that is meant; none if it is a descriptor."""
    if isinstance(file, str | bytes | os.PathLike):
        path = os.fsdecode(file)
        if "\0" not in path:
            yield os.path.abspath(path)
