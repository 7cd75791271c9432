"""Where a run leaves checkpoints, what each has consumed, and when it must leave no more.

Right before one of the project's modules is executed, the run may pause: a copy of it stays behind, with the half-executed
imports on its stack. When that module, or one that would come later, has been edited, the next run goes on from there.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import os
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType, ModuleType
from typing import Any, TypeAlias

from hotreload import _native
from hotreload._learning import newest
from hotreload._obstacles import POINTS_OF_NO_RETURN, Surroundings
from hotreload._random import RandomStates
from hotreload._reads import ModuleLookups, RunReads

COPYING = 2
"""What a checkpoint costs in all, as a multiple of the time in which it is made. The rest comes when memory is copied that
both sides have."""

FIRST_COST = 0.004
"""Seconds that a checkpoint is taken to cost before there was one."""

Listener: TypeAlias = Callable[[str, tuple[Any, ...]], None]
"""Takes an audit event and its arguments."""

_OUR_CODE = os.path.dirname(__file__) + os.sep
_LOADER: Any = importlib.machinery.SourceFileLoader.__mro__[-2]
"""``_LoaderBasics``, whose method ``exec_module`` nearly all loaders of source and bytecode have."""


class Checkpoints:
    """The checkpoints of one run, from its first line to its point of no return."""

    EVENTS = (*RunReads.EVENTS, "import", *POINTS_OF_NO_RETURN)
    """The audit events that tell of what matters."""

    def __init__(
        self,
        job: _native.Job,
        is_first_party: Callable[[str], bool],
        listen: Callable[[Sequence[str], Listener], None],
        others: tuple[Sequence[str], Listener],
    ) -> None:
        """``listen`` lets audit events be heard. Those of ``others`` are for somebody else as well, and for longer."""
        self._job = job
        self._is_first_party = is_first_party
        self._listen = listen
        self._others = others
        self._reads = RunReads(is_first_party)
        self._lookups = _Lookups()
        self._known = len(sys.modules)
        self._process = os.getpid()
        self._number = 0
        self._began = self._last = time.perf_counter()
        self._cost = FIRST_COST
        self._busy = False
        self._take_wishes()
        self._method: Any = None

    def _take_wishes(self) -> None:
        self._most, self._overhead, edited = self._job.checkpointing or (0, 0, [])
        self._edited = frozenset(edited)

    def begin(self) -> None:
        """The first line of the program is next."""
        self._surroundings = Surroundings()
        self._random = RandomStates()
        self._method = _LOADER.__dict__["exec_module"]
        _LOADER.exec_module = _native.BeforeLoading(self._method, self._before)
        sys.meta_path.insert(0, self._lookups)  # type: ignore[arg-type]
        main = getattr(sys.modules["__main__"], "__file__", None)
        if isinstance(main, str):
            self._reads.note_module(os.path.abspath(main))
        self._listen(sorted({*self.EVENTS, *self._others[0]}), self.hear)

    def hear(self, event: str, args: tuple[Any, ...]) -> None:
        """An audit event."""
        if event in self._others[0]:
            self._others[1](event, args)
        if self._method is None or self._busy or os.getpid() != self._process:
            return
        if event in POINTS_OF_NO_RETURN:
            self.end(POINTS_OF_NO_RETURN[event], _place(sys._getframe(1)))
        elif event == "import":
            # Of an extension module, its file is told right before it is loaded.
            if isinstance(file := args[1], str):
                self._reads.note_module(file)
        else:
            self._reads.hear(event, args, depth=2)

    def end(self, obstacle: str | None = None, place: str = "") -> None:
        """Leave no more checkpoints, because of ``obstacle`` if there is one."""
        if self._method is None:
            return
        _LOADER.exec_module = self._method
        self._method = None
        with contextlib.suppress(ValueError):
            sys.meta_path.remove(self._lookups)  # type: ignore[arg-type]
        self._listen(*self._others)
        self._job.note_imports_over(len(sys.modules), self._micros(), (obstacle, place) if obstacle else None)

    def _before(self, module: ModuleType) -> None:
        """``module`` is about to be executed."""
        file = getattr(getattr(module, "__spec__", None), "origin", None)
        if not isinstance(file, str) or self._method is None or os.getpid() != self._process:
            return
        self._busy = True
        try:
            self._consider(module, file)
        finally:
            self._busy = False
        self._reads.note_module(file)

    def _consider(self, module: ModuleType, file: str) -> None:
        if not self._is_worth_it(file) or not self._is_first_party(file):
            return
        if obstacle := self._surroundings.obstacle():
            self.end(obstacle, _place(sys._getframe(1)))
            return
        self._pause(module.__name__, file)

    def _is_worth_it(self, file: str) -> bool:
        now = time.perf_counter()
        # The longer it has taken to come here, the less does it matter to go back a little further.
        distance = max(
            self._cost * COPYING * 100 / max(self._overhead, 1),
            (now - self._began) / (2 * max(self._most, 1)),
        )
        return now - self._last > distance or file in self._edited

    def _pause(self, module: str, file: str) -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                if stream is not None:
                    stream.flush()
        states, descriptors = self._random.remember(), self._surroundings.positions()
        before = time.perf_counter()
        try:
            so_far = self._number, self._micros(), len(sys.modules)
            goes_on = self._job.pause((module, file), so_far, self._consumed)
        except OSError:
            return  # no process is to be had just now
        self._number += 1
        self._reads.forget()
        self._lookups.forget()
        self._known = len(sys.modules)
        if goes_on:
            self._go_on(before, states, descriptors)
        else:
            self._last = time.perf_counter()
            self._cost = max(self._last - before, FIRST_COST / 4)

    def _go_on(self, before: float, states: Any, descriptors: Any) -> None:
        """This is another run, which goes on from here."""
        self._process = os.getpid()
        self._random.restore(states)
        self._surroundings.reopen(descriptors)
        self._take_wishes()
        # The time for which the checkpoint has waited is nobody's.
        now = time.perf_counter()
        self._began += now - before
        self._last = now
        # Directories may have changed, and their times may not show it.
        importlib.invalidate_caches()
        if not self._most:
            self.end()

    def _consumed(self) -> tuple[Any, ...]:
        """What the program has consumed since the last checkpoint: the fields of ``Loaded`` in the protocol."""
        files, opened, listed = self._reads.take()
        absent, missing = self._lookups.take()
        known = {path for path, _ in opened}
        opened += [(path, None) for path in missing if path not in known]
        return Consumed(files, self._names(), absent, [], opened, listed, None)

    def _names(self) -> list[tuple[str, str]]:
        """The top-level modules that were loaded, and the file of each."""
        new = [name for name in newest(len(sys.modules) - self._known) if "." not in name and name != "__main__"]
        files = ((name, getattr(getattr(sys.modules[name], "__spec__", None), "origin", None)) for name in new)
        return [(name, file) for name, file in files if isinstance(file, str) and os.path.isabs(file)]

    def _micros(self) -> int:
        return int((time.perf_counter() - self._began) * 1e6)


class Consumed:
    """The fields of ``Loaded`` in the protocol."""

    def __init__(  # noqa: PLR0917 - the fields of one message
        self,
        files: list[str],
        names: list[tuple[str, str]],
        absent: list[str],
        variables: list[str],
        opened: list[Any],
        listed: list[Any],
        profile: None,
    ) -> None:
        self.files, self.names, self.absent, self.variables = files, names, absent, variables
        self.opened, self.listed, self.profile = opened, listed, profile


class _Lookups:
    """The first finder of a run: it finds nothing, and remembers what was looked for."""

    def __init__(self) -> None:
        self._lookups = ModuleLookups()

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        """Take note of ``fullname``."""
        self._lookups.note(fullname, path)

    def take(self) -> tuple[list[str], list[str]]:
        """Top-level modules that were not found, and files as which submodules would have been found."""
        return self._lookups.absent(_is_found), self._lookups.absent_files()

    def forget(self) -> None:
        """It is told of."""
        self._lookups.forget()


def _is_found(name: str) -> bool:
    with contextlib.suppress(Exception):
        return any(
            finder.find_spec(name, None) is not None for finder in sys.meta_path if not isinstance(finder, _Lookups)
        )
    return False


def _place(frame: FrameType | None) -> str:
    """The line of the user's that has led to ``frame``."""
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith((_OUR_CODE, "<frozen importlib")):
            return f"{file}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
