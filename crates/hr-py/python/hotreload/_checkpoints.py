"""Where a run leaves checkpoints, what each has consumed, and when it must leave no more.

Right before one of the project's modules is executed, the run may pause: a copy of it stays behind, with the
half-executed imports on its stack. When that module, or one that would come later, has been edited, the next run goes
on from there.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import threading
import time
from _weakref import ref
from collections.abc import Callable, Sequence
from types import FrameType, ModuleType, TracebackType
from typing import Any, NamedTuple, TypeAlias

from hotreload import _native
from hotreload._cost import Cost
from hotreload._descriptors import Remembered
from hotreload._finders import forget_everything
from hotreload._learning import newest
from hotreload._loaders import Loaders
from hotreload._obstacles import POINTS_OF_NO_RETURN, Surroundings, asks_the_machine
from hotreload._program import IMPORTS_ARE_OVER
from hotreload._random import RandomStates
from hotreload._reads import Loaded, ModuleLookups, RunReads

PAYS_OFF = 3
"""A checkpoint must save this many times what it costs: what goes on from it copies as much memory again, and it is
made anew after edits of what comes before it."""

Listener: TypeAlias = Callable[[str, tuple[Any, ...]], None]
"""Takes an audit event and its arguments."""


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
        self._others = frozenset(others[0]), others[1]
        self._reads = RunReads(is_first_party)
        self._lookups = _Lookups()
        self._loaders = Loaders(self._before, self._failed, is_first_party)
        self._known = len(sys.modules)
        self._process = os.getpid()
        self._told = 0
        """How many modules there were when imports seemed to be over."""
        self._shared: list[object] = []
        """What is of no use any more, and the checkpoints that this run goes on from have as well."""
        self._number = 0
        self._began = self._last = time.perf_counter()
        self._busy = False
        self._cost = Cost(self._take_wishes())
        self._next: Callable[[], ModuleType | None] = _nothing
        """The module that is executed next, or was last, while it exists."""
        self._over = True
        self._early = False
        self._failure: _Failure | None = None

    def _take_wishes(self) -> int | None:
        self._most, self._overhead, edited, cost = self._job.checkpointing or (0, 0, [], None)
        self._edited = frozenset(edited)
        return cost

    def begin(self) -> None:
        """The first line of the program is next."""
        self._surroundings = Surroundings()
        self._random = RandomStates()
        self._over = False
        self._loaders.listen()
        sys.meta_path.insert(0, self._lookups)
        self._register_at_fork = os.register_at_fork
        os.register_at_fork = self._registered  # type: ignore[assignment]
        main = getattr(sys.modules["__main__"], "__file__", None)
        # The run of a function only names the script of its caller.
        if self._job.program is not None and isinstance(main, str):
            self._reads.note_module(os.path.abspath(main))
        self._listen(sorted({*self.EVENTS, *self._others[0]}), self.hear)

    def hear(self, event: str, args: tuple[Any, ...]) -> None:
        """An audit event."""
        if event in self._others[0]:
            self._others[1](event, args)
        if self._over or self._busy or os.getpid() != self._process:
            return
        try:
            self._hear(event, args)
        except Exception as error:
            self._give_up(error)

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if event in IMPORTS_ARE_OVER and event in self._others[0] and len(sys.modules) != self._told:
            self._tell()
        if event in POINTS_OF_NO_RETURN:
            if asks_the_machine(event, sys._getframe(2)):
                return
            self.end(POINTS_OF_NO_RETURN[event], self._place(sys._getframe(2)))
        elif event in RunReads.EVENTS:
            self._reads.hear(event, args, depth=3)
        elif event == "import" and isinstance(file := args[1], str):
            # Of an extension module, its file is told right before it is loaded.
            self._reads.note_module(file)

    def end(self, obstacle: str | None = None, place: str = "") -> None:
        """Leave no more checkpoints, because of ``obstacle`` if there is one."""
        if not self._over:
            self._stop()
            self._tell((obstacle, place) if obstacle else None)

    def _stop(self) -> None:
        self._over = True
        os.register_at_fork = self._register_at_fork
        self._leave()
        with contextlib.suppress(ValueError):
            sys.meta_path.remove(self._lookups)
        self._listen(sorted(self._others[0]), self._others[1])

    def _give_up(self, error: Exception) -> None:
        """The program has done something that was not thought of here, and must not be told."""
        self.end(f"{type(error).__name__} in hotreload: {error}")

    def before_call(self, module: str) -> None:
        """All of ``module`` is executed, and one of its functions is called next: what comes then is this run's."""
        if not self._over and self._is_worth_keeping():
            self._busy = True
            try:
                if not self._surroundings.obstacle():
                    self._pause(module, "")
            except Exception as error:
                self._give_up(error)
            finally:
                self._busy = False
        self.end()

    def _tell(self, obstacle: tuple[str, str] | None = None) -> None:
        """As far as can be seen, imports are over."""
        self._told = len(sys.modules)
        self._job.note_imports_over(self._told, self._micros(), obstacle, self._cost.micros())

    def import_early(self, name: str) -> None:
        """Import what a server is about to import in its event loop, where no checkpoint can lie.

        If that fails, it fails in the same way, and with the same traceback, when the server does it.
        """
        if self._over or os.getpid() != self._process or name in sys.modules:
            return
        self._early, had_loop = True, _has_event_loop()
        try:
            importlib.import_module(name)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            needs_loop = "event loop" in str(error)
            if self._failure is not None and self._failure.error is not error:
                self._failure = None  # somebody has caught that one
        else:
            needs_loop, self._failure = False, None
        finally:
            self._early = False
            self._leave()
        if needs_loop or (_has_event_loop() and not had_loop):
            self._job.note_needs_event_loop(name)
            while True:
                signal.pause()

    def _leave(self) -> None:
        """Take no more notice of modules, if nothing depends on it."""
        if self._over and not self._early and self._failure is None:
            self._loaders.rest()

    def _before(self, _loader: object, module: ModuleType, *_: object) -> BaseException | None:
        """``module`` is about to be executed. Returns an exception if it has failed before."""
        if self._failure is not None and not self._early and self._failure.module == module.__name__:
            failure, self._failure = self._failure, None
            self._leave()
            return failure.error.with_traceback(failure.traceback)
        spec = getattr(module, "__spec__", None)
        file = getattr(spec, "origin", None)
        # A loader may leave it to another one to execute the module.
        is_known = module is self._next()
        if not is_known and isinstance(file, str) and not self._over and os.getpid() == self._process:
            self._busy = True
            try:
                self._next = ref(module)
                self._consider(module, file)
                self._reads.note_module(file, getattr(spec, "cached", None))
            except Exception as error:
                self._give_up(error)
            finally:
                self._busy = False
        return None

    def _registered(self, **functions: Callable[[], Any]) -> None:
        """The project wants to be told of forks, and not of those that make checkpoints."""
        caller = sys._getframe(1)
        if os.getpid() == self._process and self._is_first_party(caller.f_code.co_filename):
            self.end("functions are registered for forks", self._place(caller))
        self._register_at_fork(**functions)

    def _failed(
        self, error: BaseException, traceback: TracebackType | None, _loader: object, module: ModuleType, *_: object
    ) -> None:
        """``module`` has raised ``error`` while it was executed."""
        if self._early:
            self._failure = _Failure(module.__name__, error, traceback)

    def _consider(self, module: ModuleType, file: str) -> None:
        if not self._is_worth_it(file) or not self._is_first_party(file):
            return
        if obstacle := self._surroundings.obstacle():
            self.end(obstacle, self._place(sys._getframe(1)))
            return
        self._pause(module.__name__, file)

    def _is_worth_it(self, file: str) -> bool:
        now = time.perf_counter()
        if file in self._edited:
            return now - self._began > self._least_saving()
        passed = now - self._last
        # The longer it has taken to come here, the less does it matter to go back a little further.
        if passed <= (now - self._began) / (2 * max(self._most, 1)):
            return False
        return passed > self._allowed(self._cost.at_least()) and passed > self._allowed(self._cost.seconds())

    def _is_worth_keeping(self) -> bool:
        """Whether the last checkpoint, which all calls go on from that come after no edit, is worth what it costs."""
        now, cost = time.perf_counter(), self._cost.seconds()
        return now - self._began > self._allowed(cost) and now - self._last > self._least_saving()

    def _least_saving(self) -> float:
        """How many seconds a checkpoint must save."""
        cost = PAYS_OFF * self._cost.seconds()
        return min(cost, self._allowed(cost))

    def _allowed(self, cost: float) -> float:
        """After how many seconds of imports one more checkpoint, for this many seconds, costs no more than it may."""
        return cost * 100 / max(self._overhead, 1)

    def _pause(self, module: str, file: str) -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                if stream is not None:
                    stream.flush()
        before = time.perf_counter()
        states = self._random.remember()
        try:
            descriptors = self._surroundings.descriptors.remember()
        except OSError:
            return  # no more files are to be had just now
        try:
            so_far = self._number, self._micros(), len(sys.modules)
            self._cost.about_to_make()
            goes_on = self._job.pause((module, file), so_far, self._consumed)
        except OSError:
            self._surroundings.descriptors.forget(descriptors)
            return  # no process is to be had just now
        self._number += 1
        told = self._reads.forget(), self._lookups.forget()
        self._known = len(sys.modules)
        if goes_on:
            # To free it would be to write to memory that the checkpoint has as well, which is copied then.
            self._shared.append(told)
            self._go_on(before, states, descriptors)
        else:
            self._surroundings.descriptors.forget(descriptors)
            self._cost.made()
            self._last = time.perf_counter()

    def _go_on(self, before: float, states: Any, descriptors: Remembered) -> None:
        """This is another run, which goes on from here."""
        self._process = os.getpid()
        threading.main_thread()._set_native_id()  # type: ignore[attr-defined]
        self._random.restore(states)
        self._surroundings.descriptors.restore(descriptors)
        self._cost.go_on(self._take_wishes())
        # The time for which the checkpoint has waited is nobody's.
        now = time.perf_counter()
        self._began += now - before
        self._last = now
        # Directories may have changed, and their times may not show it.
        forget_everything()
        if not self._most:
            self._stop()

    def _consumed(self) -> Loaded:
        """What the program has consumed since the last checkpoint."""
        files, opened, listed = self._reads.take()
        absent, missing = self._lookups.take()
        known = {path for path, *_ in opened}
        opened += [(path, None, None) for path in missing if path not in known]
        return Loaded(files, self._names(), absent, [], opened, listed, None)

    def _names(self) -> list[tuple[str, str]]:
        """The top-level modules that were loaded, and the file of each."""
        new = [name for name in newest(len(sys.modules) - self._known) if "." not in name and name != "__main__"]
        files = ((name, getattr(getattr(sys.modules[name], "__spec__", None), "origin", None)) for name in new)
        return [(name, file) for name, file in files if isinstance(file, str) and os.path.isabs(file)]

    def _place(self, frame: FrameType | None) -> str:
        """The line of the project that has led to ``frame``."""
        while frame is not None:
            file = frame.f_code.co_filename
            if os.path.isabs(file) and self._is_first_party(file):
                return f"{file}:{frame.f_lineno}"
            frame = frame.f_back
        return ""

    def _micros(self) -> int:
        return int((time.perf_counter() - self._began) * 1e6)


class _Failure(NamedTuple):
    """A module that was executed early, and what it has raised."""

    module: str
    error: BaseException
    traceback: TracebackType | None


def _nothing() -> None:
    pass


def _has_event_loop() -> bool:
    """Whether somebody has made an event loop for this thread that does not run yet."""
    policy = getattr(sys.modules.get("asyncio.events"), "_event_loop_policy", None)
    return getattr(getattr(policy, "_local", None), "_loop", None) is not None


class _Lookups:
    """The first finder of a run: it finds nothing, and remembers what was looked for."""

    def __init__(self) -> None:
        self._lookups = ModuleLookups()

    @_native.Undisturbed
    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:  # noqa: ARG002
        """Take note of ``fullname``."""
        self._lookups.note(fullname, path)

    def take(self) -> tuple[list[str], list[str]]:
        """Top-level modules that were not found, and files as which submodules would have been found."""
        return self._lookups.absent(_is_found), self._lookups.absent_files()

    def forget(self) -> object:
        """It is told of. What there was."""
        return self._lookups.forget()


def _is_found(name: str) -> bool:
    with contextlib.suppress(Exception):
        return any(
            finder.find_spec(name, None) is not None for finder in sys.meta_path if not isinstance(finder, _Lookups)
        )
    return False
