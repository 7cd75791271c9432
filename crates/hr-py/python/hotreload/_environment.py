"""The API: an environment of a warm template, and the processes forked from it."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from hotreload import _native, _supervisor
from hotreload._call import pack_call
from hotreload._effects import variables
from hotreload._errors import EnvironmentClosed, RunExited, RunTraceback, UnpicklableError
from hotreload._events import BuildEvent
from hotreload._payload import Payload, unpack

MOST_SPARES = 64
MOST_CHECKPOINTS = 1000
"""More would cost memory and serve nobody."""


@dataclass(frozen=True)
class Problem:
    """A file of the project that could not be read or parsed."""

    file: str
    """Relative to the project."""
    line: int
    column: int
    message: str


@dataclass(frozen=True)
class ExcludedModule:
    """A module that the project imports and its template does not have."""

    module: str
    cause: str
    file: str
    """The file that asks for the module, relative to the project. Empty if only ``preload`` does."""
    line: int


@dataclass(frozen=True)
class UpdateReport:
    """What :meth:`IsolatedEnvironment.update_environment` found and did. It is true if the template changed."""

    changed: bool
    """Whether runs are forked from another template now."""
    added: tuple[str, ...]
    """Modules that the project imports now and did not before."""
    removed: tuple[str, ...]
    """Modules that the project no longer imports."""
    files: tuple[str, ...]
    """Files that the old template had loaded and that have changed."""
    reason: str
    """All of this in one line."""
    excluded: tuple[ExcludedModule, ...] = field(repr=False)
    """What the template now lacks."""
    problems: tuple[Problem, ...] = field(repr=False)
    """What could not be read or parsed."""

    def __bool__(self) -> bool:
        return self.changed


class IsolatedProcess:
    """A run: one function call in a process of its own."""

    process_uuid: str
    """Unique among all runs."""
    process_name: str
    """As given to :meth:`IsolatedEnvironment.exec`, or the function's name."""
    pid: int
    """Its process id."""

    def __init__(self, environment: IsolatedEnvironment, run: _native.Run, name: str) -> None:
        self.process_uuid = str(uuid.uuid4())
        self.process_name = name
        self.pid = run.pid
        self._environment = environment
        self._run = run
        self._lock = threading.Lock()
        self._outcome: tuple[Any, BaseException | None] | None = None

    def __repr__(self) -> str:
        return f"<IsolatedProcess {self.process_name!r} pid={self.pid}>"

    def _communicate(self) -> Any:
        # One thread waits for all: the content of a result can be taken only once.
        with self._lock:
            if self._outcome is None:
                self._outcome = self._conclude(*self._run.wait())
            value, error = self._outcome
        if error is not None:
            raise error
        return value

    def _conclude(self, kind: str, content: Any, returncode: int | None) -> tuple[Any, BaseException | None]:
        if kind == "returned":
            try:
                return unpack(Payload(*content)), None
            except Exception as error:
                problem = UnpicklableError(f"the result of {self.process_name} cannot be unpickled here: {error}")
                problem.__cause__ = error
                return None, problem
        if kind == "raised":
            return None, self._exception(*content)
        if kind == "unpicklable":
            type_name, message = content
            return None, UnpicklableError(
                f"{self.process_name} returned an object of type {type_name}, which cannot be pickled: {message}"
            )
        return None, RunExited(self, returncode, unpack(Payload(*content)) if kind == "exited" else None)

    def _exception(self, pickled: Any, type_name: str, text: str) -> BaseException:
        error: BaseException
        try:
            error = unpack(Payload(*pickled)) if pickled is not None else _unpicklable_exception(type_name)
        except Exception:
            error = _unpicklable_exception(type_name)
        error.__cause__ = RunTraceback(text)
        return error


def _unpicklable_exception(type_name: str) -> UnpicklableError:
    return UnpicklableError(f"the run raised {type_name}, an exception that cannot be pickled")


class IsolatedEnvironment:
    """A warm template of one project, and the runs forked from it. Made by :func:`isolate_imports`."""

    def __init__(self, target: str, is_path: bool, wishes: _supervisor.Wishes) -> None:
        self._target = target
        self._is_path = is_path
        self._wishes = wishes
        self._supervisor: _native.Supervisor | None = None
        self._owner = os.getpid()

    def __enter__(self) -> IsolatedEnvironment:
        if self._supervisor is not None:
            raise EnvironmentClosed("this environment is already open")
        self._owner = os.getpid()
        supervisor = _supervisor.start()
        try:
            _supervisor.open_project(supervisor, self._target, self._is_path, self._wishes)
        except BaseException:
            supervisor.close()
            raise
        self._supervisor = supervisor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        supervisor, self._supervisor = self._supervisor, None
        # A process that was forked inside the block leaves the block as well; the environment is not its own.
        if supervisor is not None and os.getpid() == self._owner:
            supervisor.close()

    def exec(self, func: Callable[..., Any], /, *args: Any, name: str | None = None, **kwargs: Any) -> IsolatedProcess:
        """Call ``func(*args, **kwargs)`` in a new process that has the project's third-party imports behind it.

        A function of an importable module travels by reference: what runs is the code that is on disk now. A function
        of ``__main__``, a lambda or a closure travels by value. Standard streams, arguments, environment and working
        directory of the process are those of this one.

        Raises :class:`UnpicklableError` if the function or an argument cannot travel.
        """
        if not callable(func):
            raise TypeError(f"exec() needs a function to call, not {type(func).__name__}")
        if name is not None and not isinstance(name, str):
            raise TypeError(f"the name of a run is a string, not {type(name).__name__}")
        supervisor = self._open()
        payload, module = pack_call(func, args, kwargs)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # a program may put anything there
                stream.flush()  # what was printed before stays before
        run = supervisor.exec(
            sys.argv,
            _supervisor.absolute_sys_path(),
            variables(),
            *_main_module(),
            module,
            payload.lengths,
            payload.inline,
            payload.descriptor,
        )
        return IsolatedProcess(self, run, name or getattr(func, "__qualname__", None) or type(func).__qualname__)

    def communicate_isolated(self, process: IsolatedProcess) -> Any:
        """Wait for ``process`` and return what its function returned.

        If the function raised, the same exception is raised here, caused by a :class:`RunTraceback`. If the process
        ended in any other way, :class:`RunExited` tells how. May be called from several threads, and again.
        """
        return self._own(process)._communicate()

    def stop_isolated(self, process: IsolatedProcess) -> bool:
        """End ``process``: SIGTERM first, then SIGKILL to it and to everything it started.

        Returns whether it was running. When this returns, it has ended.
        """
        return self._own(process)._run.stop()

    def update_environment(self) -> UpdateReport:
        """Bring the template up to date with what is on disk now.

        If no third-party import and no loaded third-party file changed, the same template keeps running.
        """
        update = self._open().update(self._wishes.on_event)
        return UpdateReport(
            changed=update.changed,
            added=tuple(update.added),
            removed=tuple(update.removed),
            files=tuple(update.files),
            reason=update.reason,
            excluded=_excluded(update.state),
            problems=_problems(update.state),
        )

    @property
    def template_pid(self) -> int:
        """Process id of the template that the next run is forked from."""
        supervisor = self._open()
        # There is none for a moment after it was killed.
        return supervisor.status().template or supervisor.update().state.template

    @property
    def supervisor_pid(self) -> int:
        """Process id of the supervisor."""
        return self._open().status().supervisor

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that were imported into the template on the project's behalf, in that order."""
        return tuple(self._open().status().modules)

    @property
    def excluded(self) -> tuple[ExcludedModule, ...]:
        """The modules that the project imports and the template does not have, with the reason."""
        return _excluded(self._open().status())

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Files of the project that could not be read or parsed."""
        return _problems(self._open().status())

    def _open(self) -> _native.Supervisor:
        if os.getpid() != self._owner:
            raise EnvironmentClosed(f"this environment belongs to process {self._owner}, which forked this one")
        if self._supervisor is None:
            raise EnvironmentClosed("this environment is not open: use it inside its `with` block")
        return self._supervisor

    def _own(self, process: IsolatedProcess) -> IsolatedProcess:
        if not isinstance(process, IsolatedProcess):
            raise TypeError(f"an IsolatedProcess is needed, not {type(process).__name__}")
        if process._environment is not self:
            raise ValueError(f"{process!r} belongs to another environment")
        if os.getpid() != self._owner:
            self._open()
        return process


def isolate_imports(
    package: str | os.PathLike[str],
    *,
    ignored_modules: Iterable[str] | None = None,
    preload: Iterable[str] | None = None,
    import_limit: float | None = None,
    spares: int | None = None,
    checkpoints: int | None = None,
    on_event: Callable[[BuildEvent], object] | None = None,
) -> IsolatedEnvironment:
    """An environment for ``package``, to be used in a ``with`` block.

    ``package`` is the name of an importable module or package, or a path to a package, a script or a project.

    ``ignored_modules`` are never imported ahead of runs, nor is anything below them. ``preload`` names modules that
    always are, whether the project imports them or not, and although they start threads or processes, listen, or change
    the working directory or signal handlers when they are imported. ``import_limit`` is how many seconds the import of
    one module may take before the module is left out, 120 if nobody says otherwise. ``spares`` is how many processes
    are forked ahead of time and wait for the next :meth:`~IsolatedEnvironment.exec`, 1 if nobody says otherwise.
    ``checkpoints`` is how many paused copies of itself a run may leave behind while it imports the module of its
    function, if that takes long, so that the next run that calls one of this module goes on from the last that no edit
    has touched; 12 if nobody says otherwise, none with 0. What ``[tool.hotreload]`` in the project's ``pyproject.toml``
    says of these counts where nothing is said here; its ``preload`` and ``exclude`` are added to those given here.

    Entering the block scans the project and builds the template; leaving it ends every process. While a template is
    built in here or in :meth:`~IsolatedEnvironment.update_environment`, ``on_event`` is called with what happens.
    Raises :class:`ImportError` on entering if there is no such package.
    """
    target = _target(package)
    is_path = not isinstance(package, str) or os.sep in target or target in (os.curdir, os.pardir)
    if not is_path and not all(part.isidentifier() for part in target.split(".")):
        raise ValueError(f"{target!r} is neither the name of a module nor a path")
    _check_numbers(spares, checkpoints, import_limit)
    if on_event is not None and not callable(on_event):
        raise TypeError(f"on_event must be something to call, not {type(on_event).__name__}")
    ignored, preloaded = _names("ignored_modules", ignored_modules), _names("preload", preload)
    for name in preloaded:
        if any(f"{name}.".startswith(f"{other}.") for other in ignored):
            raise ValueError(f"{name!r} is both in preload and in ignored_modules")
    limit = None if import_limit is None else float(import_limit)
    wishes = _supervisor.Wishes(ignored, preloaded, limit, spares, checkpoints, on_event)
    return IsolatedEnvironment(os.path.abspath(target) if is_path else target, is_path, wishes)


def _check_numbers(spares: object, checkpoints: object, import_limit: object) -> None:
    for name, value, most in (("spares", spares, MOST_SPARES), ("checkpoints", checkpoints, MOST_CHECKPOINTS)):
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} must be a number, not {type(value).__name__}")
        if not 0 <= value <= most:
            raise ValueError(f"{name} must be from 0 to {most}, not {value}")
    if import_limit is not None:
        if isinstance(import_limit, bool) or not isinstance(import_limit, int | float):
            raise TypeError(f"import_limit must be a number of seconds, not {type(import_limit).__name__}")
        if not import_limit > 0:
            raise ValueError(f"import_limit must be more than 0 seconds, not {import_limit}")


def _target(package: object) -> str:
    if not isinstance(package, str | os.PathLike):
        raise TypeError(f"package must be a name or a path, not {type(package).__name__}")
    target = os.fspath(package)
    if not isinstance(target, str):
        raise TypeError("package must be a name or a path of text, not of bytes")
    if not target or "\0" in target:
        raise ValueError("package must not be empty or contain a null character")
    return target


def _names(parameter: str, modules: Iterable[str] | None) -> tuple[str, ...]:
    if modules is None:
        return ()
    if isinstance(modules, str):
        raise TypeError(f"{parameter} must be a collection of names, not one string")
    names = tuple(modules)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"{parameter} must hold names, not {type(name).__name__}")
        if not all(part.isidentifier() for part in name.split(".")):
            raise ValueError(f"{name!r} in {parameter} is not the name of a module")
    return names


def _main_module() -> tuple[str | None, str | None]:
    main = sys.modules.get("__main__")
    name = getattr(getattr(main, "__spec__", None), "name", None)
    file = getattr(main, "__file__", None)
    return name, os.path.abspath(file) if isinstance(file, str) else None


def _excluded(state: _native.State) -> tuple[ExcludedModule, ...]:
    return tuple(ExcludedModule(*fields) for fields in state.excluded)


def _problems(state: _native.State) -> tuple[Problem, ...]:
    return tuple(Problem(*fields) for fields in state.problems)
