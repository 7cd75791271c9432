"""What a paused process does in Python: it imports, keeps first-party modules out, and becomes a run."""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.machinery
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from hotreload import _bytecode, _native, _program, _run
from hotreload._call import pickler
from hotreload._checkpoints import Checkpoints, Listener
from hotreload._effects import EnvironmentReads, EnvironmentWrites, ImportEffects
from hotreload._finders import forget_what_may_be_out_of_date
from hotreload._garbage import RareCollections
from hotreload._learning import Learning
from hotreload._reads import FileReads, Loaded, ModuleLookups
from hotreload._servers import look_after
from hotreload._sources import Sources

if TYPE_CHECKING:
    from hotreload._profile import ImportProfile

_SIGNALS = sorted(signal.valid_signals())


class FirstPartyImportError(ImportError):
    """A module reached for first-party code while a template imported it."""


class FirstParty:
    """Tells first-party files from others: by the most specific directory that holds them."""

    def __init__(self, paths: Iterable[str], sys_path: Iterable[str]) -> None:
        self._ours = {os.path.realpath(path) for path in paths}
        others = {os.path.realpath(path) for path in sys_path if path}
        # Longest first: the first match is the most specific one.
        self._places = sorted(self._ours | others, key=len, reverse=True)
        self._beginnings = tuple(self._ours)
        self._real_directories: dict[str, str] = {}

    def holds(self, file: str) -> bool:
        """Whether ``file`` is first-party."""
        if not file.startswith(self._beginnings):
            file = self._real(file)
            if not file.startswith(self._beginnings):
                return False
        for place in self._places:
            if file == place or file.startswith(place + os.sep):
                return place in self._ours
        return False

    def _real(self, file: str) -> str:
        """``file`` without symbolic links. Directories are looked at once: a template asks thousands of times."""
        directory, name = os.path.split(file)
        real = self._real_directories.get(directory)
        if real is None:
            real = self._real_directories[directory] = os.path.realpath(directory)
        file = os.path.join(real, name)
        return os.path.realpath(file) if os.path.islink(file) else file

    def forget(self) -> None:
        """Look at directories anew: from here on time may pass."""
        self._real_directories.clear()

    def top_level_names(self, sys_path: Iterable[str]) -> set[str]:
        """Names that a search of ``sys_path`` might find in a first-party directory."""
        names: set[str] = set()
        for entry in {os.path.realpath(path) for path in sys_path if path}:
            if self.holds(entry):
                try:
                    names.update(name.partition(".")[0] for name in os.listdir(entry))
                except OSError:
                    continue
        return names


class FirstPartyGuard:
    """The first finder of a template: it lets no first-party module in, and remembers who was turned away."""

    def __init__(
        self, first_party: FirstParty, modules: Iterable[str], sys_path: Sequence[str], lookups: ModuleLookups
    ) -> None:
        self.first_party = first_party
        self.lookups = lookups
        self.refused: list[str] = []
        self._names = set(modules) | first_party.top_level_names(sys_path)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Refuse first-party modules; leave the others to the finders behind this one."""
        if not self.would_refuse(fullname, path, target):
            self.lookups.note(fullname, path)
            return None
        self.refused.append(fullname)
        raise FirstPartyImportError(f"a template does not import first-party module {fullname!r}", name=fullname)

    def would_refuse(self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> bool:
        """Whether an import of ``fullname`` would find a first-party module."""
        if fullname not in self._names and not (path and any(map(self.first_party.holds, path))):
            return False
        spec = self._find_behind(fullname, path, target)
        return spec is not None and spec.has_location and self.first_party.holds(spec.origin or "")

    def finds(self, fullname: str) -> bool:
        """Whether there is a top-level module of that name, first-party or not."""
        return self._find_behind(fullname, None, None) is not None

    def _find_behind(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> importlib.machinery.ModuleSpec | None:
        for finder in sys.meta_path:
            find_spec = getattr(finder, "find_spec", None)
            if finder is not self and find_spec is not None:
                spec: importlib.machinery.ModuleSpec | None = find_spec(fullname, path, target)
                if spec is not None:
                    return spec
        return None


class Imported(NamedTuple):
    """How an import went."""

    kind: str
    """``imported``, ``not-found``, ``raised`` or ``first-party``."""
    subject: str = ""
    """The type of the exception, or the first-party module."""
    message: str = ""
    left_traces: bool = False
    threads: Sequence[str] = ()
    """Names of the Python threads that it left."""
    signals: bool = False
    """Whether it has changed Python's signal handlers."""


class Template:
    """The interpreter as the fork server sees it. The native loop calls these methods, one at a time."""

    def __init__(self, at_startup: frozenset[str]) -> None:
        self._at_startup = at_startup
        self._lookups = ModuleLookups()
        self._guard = FirstPartyGuard(FirstParty([], []), [], [], self._lookups)
        self._effects = ImportEffects()
        self._reads = EnvironmentReads()
        self._writes = EnvironmentWrites()
        self._files = FileReads()
        self._profile: ImportProfile | None = None
        self._collections = RareCollections()
        self._seeded = False
        self._told: set[str] = set()
        """Names of the modules that were loaded when this process, or what it was forked from, settled."""
        self._sources = Sources()
        self._running: _program.Running | None = None
        self._checkpoints: Checkpoints | None = None

    def begin(self) -> None:
        """The interpreter has left its last frame: undo what it was led here with."""
        sys.excepthook = sys.__excepthook__
        for name in ("last_type", "last_value", "last_traceback", "last_exc"):
            vars(sys).pop(name, None)
        if "linecache" in sys.modules:
            sys.modules["linecache"].cache.pop("<string>", None)  # from 3.13 on, it has the source that led here

    def prepare(  # noqa: PLR0917 - the fields of one message
        self,
        argv: list[str],
        sys_path: list[str],
        paths: list[str],
        modules: list[str],
        profile: bool,
        writes: list[tuple[str, str | None, bool, str]],
    ) -> None:
        """Search ``sys_path`` from now on, and keep first-party modules out. Measure imports if ``profile`` is true."""
        sys.argv[:] = argv
        self._writes = EnvironmentWrites(writes)
        self._effects.begin(sys_path)
        if self._guard in sys.meta_path:
            sys.meta_path.remove(self._guard)
        self._guard = FirstPartyGuard(FirstParty(paths, sys_path), modules, sys_path, self._lookups)
        sys.meta_path.insert(0, self._guard)
        self._give_way()
        _bytecode.distrust(self._guard.first_party.holds)
        if profile:
            from hotreload._profile import ImportProfile

            self._profile = self._profile or ImportProfile()
            self._profile.begin()

    def _give_way(self) -> None:
        """Forget modules that this package has imported for itself and that the project has its own of.

        What the interpreter loads at startup comes before any project, here as everywhere.
        """
        for name in set(sys.modules) - self._at_startup:
            top = name.partition(".")[0]
            if top not in self._at_startup and top != __package__ and self._guard.would_refuse(top):
                del sys.modules[name]

    def import_module(self, name: str, written: int) -> Imported:
        """Import ``name`` in the environment that ``written`` writes of the project have made."""
        with self._writes.carried_out(written):
            outcome = self._import(name)
            if undecided := self._writes.undecided(self._reads.latest()):
                return Imported("environment", *undecided, left_traces=True)
        return outcome

    def _import(self, name: str) -> Imported:
        # What was loaded before is shared with the fallback. Collections that walked through it would copy it all.
        gc.freeze()
        self._collections.begin()
        before = set(sys.modules)
        handlers = _signal_handlers()
        threads = _threads()
        self._reads.record(self._profile.read if self._profile else None)
        self._files.record()
        self._guard.refused.clear()
        outcome = Imported("imported")
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            missing = error.name is not None and f"{name}.".startswith(f"{error.name}.")
            left_traces = bool(sys.modules.keys() - before)
            outcome = Imported("not-found" if missing else "raised", type(error).__qualname__, str(error), left_traces)
        except BaseException as error:  # SystemExit, too, is nothing but a failed import here
            outcome = Imported("raised", _qualified(type(error)), str(error), left_traces=True)
        self._files.rest()
        self._reads.rest()
        _run.flush_standard_streams()
        ours = self._guard.refused or self._intruders(sys.modules.keys() - before)
        if ours:
            return Imported("first-party", ours[0], left_traces=True)
        return outcome._replace(threads=_names_of(_threads() - threads), signals=_signal_handlers() != handlers)

    def _intruders(self, names: Iterable[str]) -> list[str]:
        """First-party modules among ``names``. The guard should have kept them out; this is checked, not assumed."""
        holds = self._guard.first_party.holds
        return [name for name in names if any(map(holds, _files_of(sys.modules.get(name))))]

    def settle(self) -> Loaded:
        """Imports are over: share the heap with what is forked from here.

        Returns what they have consumed since the last time.
        """
        if self._profile is not None:
            self._profile.end()
        self._effects.settle()
        self._guard.first_party.forget()
        forget_what_may_be_out_of_date(self._guard.first_party.holds)
        broken, absent_files = self._lookups.broken_files(), self._lookups.absent_files()
        absent = self._lookups.absent(self._guard.finds)
        self._lookups.forget()
        # What earlier imports have left is frozen. Looking through it again would copy it from the fallback, and finds
        # nothing: the collector has come by while they ran.
        self._collections.end()
        gc.collect()
        gc.freeze()
        # What a layer stands on has told of the rest. To look at a module is to copy its page.
        new = [name for name in list(sys.modules) if name not in self._told]
        self._told.update(new)
        modules = {file for name in new for file in _files_of(sys.modules.get(name))}
        self._sources.loaded_by_template(modules)
        modules.update(broken)
        opened = dict.fromkeys(absent_files) | self._files.files()
        return Loaded(
            files=sorted(modules),
            names=self._top_level(new),
            absent=absent,
            variables=self._reads.names(),
            opened=[(path, stamp, None) for path, stamp in sorted(opened.items()) if path not in modules],
            listed=self._files.listings(),
            profile=self._profile.report() if self._profile else None,
        )

    def _top_level(self, new: list[str]) -> list[tuple[str, str]]:
        names = [name for name in new if "." not in name and name not in self._at_startup]
        return [(name, file) for name in names for file in _files_of(sys.modules.get(name))]

    def warm_up(self) -> None:
        """This process is a spare: do what every run does, and what does not depend on its call."""
        self._seeded = True
        self._withdraw()
        _run.rehearse(self._effects, Learning(self._guard.first_party.holds))

    def run(self, job: _native.Job) -> int | _program.Beginning:
        """This process is a run from here on. Returns its exit code, or how its program begins."""
        if not self._seeded:
            _run.reseed()
        self._withdraw()
        learning = Learning(self._guard.first_party.holds)
        if job.program is None:
            checkpoints = self._checkpoints_of(job, (), _nobody) if job.checkpointing else None
            return _run.carry_out(job, self._effects, learning, checkpoints)
        _run.become(job, self._effects)
        self._running = _program.Running(job, learning, self._sources)
        if job.checkpointing:
            self._checkpoints = self._checkpoints_of(job, _program.Running.EVENTS, self._running.hear)
        else:
            self._files.hand_over(_program.Running.EVENTS, self._running.hear)
        beginning = self._running.begin(*job.program)
        if self._checkpoints is not None:
            self._checkpoints.begin()
            if job.early:
                look_after(self._checkpoints.import_early, self._checkpoints.end, job.entry)
        return beginning

    def _checkpoints_of(self, job: _native.Job, events: Sequence[str], hear: Listener) -> Checkpoints:
        return Checkpoints(job, self._guard.first_party.holds, self._files.hand_over, (events, hear))

    def executed(self) -> None:
        """Nothing of a program is on the stack any more."""
        if self._checkpoints is not None:
            self._checkpoints.end()
        if self._running is not None:
            self._running.executed()

    def own_modules(self) -> list[str]:
        """Names of the modules that go with the program."""
        return [] if self._running is None else self._running.own_modules()

    def _withdraw(self) -> None:
        """Let first-party modules in: this process imports for a template no more."""
        if self._guard in sys.meta_path:
            sys.meta_path.remove(self._guard)


def _nobody(_event: str, _args: tuple[Any, ...]) -> None:
    """Hears nothing."""


def _files_of(module: ModuleType | None) -> Iterator[str]:
    spec = getattr(module, "__spec__", None)
    origin = getattr(spec, "origin", None)
    if isinstance(origin, str) and getattr(spec, "has_location", False):
        yield origin
    file = getattr(module, "__file__", None) if type(module) is ModuleType else None
    if isinstance(file, str) and file != origin:
        yield file


def _signal_handlers() -> list[Any]:
    return [signal.getsignal(number) for number in _SIGNALS]


def _threads() -> set[int]:
    return set(sys._current_frames())


def _names_of(threads: set[int]) -> list[str]:
    if not threads:
        return []
    named = {thread.ident: thread.name for thread in threading.enumerate()}
    return [named.get(ident, "unnamed") for ident in threads]


def _qualified(kind: type[BaseException]) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


class _Paused(BaseException):
    """Raised to leave all frames of Python, so that what is forked has none of ours below its own."""


def main(at_startup: frozenset[str]) -> NoReturn:
    """Serve the supervisor behind the descriptor that the last argument names, once the caller's frame is gone.

    ``at_startup`` names the modules that the interpreter had loaded before anything of this package.
    """
    # The interpreter may be one that this package is not installed for; then what it needs is not either.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    with contextlib.suppress(ImportError):
        pickler()  # what every run would have to import to send its result
    del sys.path[-1]
    sys.excepthook = _native.Server(int(sys.argv[-1]), Template(at_startup))
    raise _Paused
