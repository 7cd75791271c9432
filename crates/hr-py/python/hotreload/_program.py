"""A run that is a whole program: ``python FILE``, ``python -m MODULE``, or an entry point.

Whatever the program can see of itself is what it would see in an interpreter of its own. Here is decided what is to be
executed; it is executed by the native module, which leaves no frame below the program's first.
"""

from __future__ import annotations

import builtins
import linecache
import marshal
import os
import sys
import time
from collections.abc import Callable
from importlib.machinery import BuiltinImporter, SourceFileLoader, SourcelessFileLoader
from importlib.util import MAGIC_NUMBER
from types import ModuleType
from typing import Any, TypeAlias

from hotreload import _native
from hotreload._learning import Learning
from hotreload._reloaders import switch_off
from hotreload._sources import Sources

Beginning: TypeAlias = int | tuple[str, Any, tuple[Any, ...]]
"""The exit code of a program that cannot be begun, or: ``file`` and its path, ``code`` and a code object, ``call``, a
function and its arguments."""

CANNOT_OPEN = 2
"""Exit code of an interpreter that cannot read the file it is to execute."""

IMPORTS_ARE_OVER = [
    "_thread.start_joinable_thread",
    "_thread.start_new_thread",
    "builtins.breakpoint",
    "builtins.input",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "socket.bind",
    "socket.connect",
    "subprocess.Popen",
    "time.sleep",
]
"""Audit events that tell of more than loading: of a program that serves or waits, its end may be long in coming."""

_ENTRY_POINT = "import sys; from {module} import {name}; sys.exit({function}())"

_PYC_HEADER = 16
"""Length in bytes of what comes before the code in a ``.pyc`` (PEP 552)."""

_OPTIONS = sys.orig_argv[1 : sys.orig_argv.index("-c")] if "-c" in sys.orig_argv else []
"""What this interpreter was given before its program."""


class Running:
    """A program, from its first line to its last."""

    EVENTS = (*IMPORTS_ARE_OVER, *Sources.EVENTS)
    """The audit events that tell of what matters."""

    def __init__(self, job: _native.Job, learning: Learning, sources: Sources) -> None:
        self._job = job
        self._learning = learning
        self._sources = sources
        self._began = time.perf_counter() if job.checkpointing is None else None
        """When it began, if nobody else tells how long its imports take."""
        self._loaded = 0, job.run
        """How many modules there were when this was last told of, by which run."""

    def begin(self, kind: str, name: str, function: str | None) -> Beginning:
        """Get ready for the program that ``kind`` and ``name`` tell, as the interpreter would."""
        _install_main()
        if self._job.reloaded:
            switch_off(self._job.note_reloader_off)
        if kind == "module":
            sys.orig_argv[:] = [sys.executable, *_OPTIONS, "-m", name, *self._job.argv[1:]]
            return _module(name)
        sys.orig_argv[:] = [sys.executable, *_OPTIONS, *self._job.argv]
        if function is not None:
            return _function(name, function)
        self._sources.begin_with(os.path.join(os.getcwd(), name))
        return _file(name)

    def executed(self) -> None:
        """It has reached its end; what it has left to `atexit` and to threads is still to come."""
        self._tell()

    def hear(self, event: str, args: tuple[Any, ...]) -> None:
        """The program loads a file, or does what programs do once their imports are done."""
        if event in Sources.EVENTS:
            if self._job.reloaded:
                self._sources.hear(event, args, self._job, self._learning)
        # Most have nothing new to tell, and some do it often.
        elif (len(sys.modules), self._job.run) != self._loaded:
            self._tell()

    def _tell(self) -> None:
        self._loaded = len(sys.modules), self._job.run
        self._learning.tell(self._job)
        if self._job.reloaded:
            self._sources.tell(self._job, self._learning)
            if self._began is not None:
                # Whether the next version had better leave checkpoints.
                micros = int((time.perf_counter() - self._began) * 1e6)
                self._job.note_imports_over(len(sys.modules), micros, None, None)
                self._began = None

    def own_modules(self) -> list[str]:
        """Names of the modules that this process shares with no template, in the order in which they were imported."""
        return ["__main__", *self._learning.new()]


def _install_main() -> None:
    """The ``__main__`` that an interpreter begins with."""
    main = ModuleType("__main__")
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    main.__dict__["__builtins__"] = builtins
    main.__loader__ = BuiltinImporter
    sys.modules["__main__"] = main


def _module(name: str) -> Beginning:
    sys.argv[0] = "-m"  # until the module is found
    _search_first(os.getcwd())
    return "call", _run_module_as_main(), (name,)


def _function(module: str, function: str) -> Beginning:
    source = _ENTRY_POINT.format(module=module, name=function.partition(".")[0], function=function)
    if sys.version_info >= (3, 13):
        linecache.cache["<string>"] = (len(source), None, [source + "\n"], "<string>")
    return "code", compile(source, "<string>", "exec", dont_inherit=True), ()


def _file(name: str) -> Beginning:
    path = os.path.join(os.getcwd(), name)
    if _is_searched(path):
        _search_first(path)
        return "call", _run_module_as_main(), ("__main__", False)
    _search_first(os.path.dirname(os.path.realpath(name)))
    try:
        with open(path, "rb") as file:
            beginning = file.read(_PYC_HEADER)
            bytecode = file.read() if path.endswith(".pyc") else b""
    except OSError as error:
        message = f"{sys.executable}: can't open file {path!r}: [Errno {error.errno}] {error.strerror}"
        print(message, file=sys.stderr)
        return CANNOT_OPEN
    main = sys.modules["__main__"]
    main.__file__ = path
    main.__dict__["__cached__"] = None
    if not path.endswith(".pyc"):
        main.__loader__ = SourceFileLoader("__main__", path)
        return "file", path, ()
    main.__loader__ = SourcelessFileLoader("__main__", path)
    if beginning[: len(MAGIC_NUMBER)] != MAGIC_NUMBER:
        return "call", _bad_magic, ()
    return "code", marshal.loads(bytecode), ()  # noqa: S302 - it is what the user has asked for


def _bad_magic() -> None:
    raise RuntimeError("Bad magic number in .pyc file")


def _run_module_as_main() -> Callable[..., object]:
    # Tracebacks of `python -m` have its frames in them.
    import runpy

    run: Callable[..., object] = runpy._run_module_as_main  # type: ignore[attr-defined]
    return run


def _is_searched(path: str) -> bool:
    """Whether modules can be found in ``path``: it is a directory or an archive."""
    for hook in sys.path_hooks:
        try:
            hook(path)
        except ImportError:
            continue
        return True
    return False


def _search_first(directory: str) -> None:
    """Let ``sys.path`` begin with ``directory``, which who asked for this run may have spelled otherwise."""
    if getattr(sys.flags, "safe_path", sys.flags.isolated):
        return
    if sys.path and os.path.normpath(sys.path[0]) == os.path.normpath(directory):
        sys.path[0] = directory  # as the interpreter writes it
    else:
        sys.path.insert(0, directory)
