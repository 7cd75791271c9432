"""What a process is like once a program's imports are done, for `hr verify` to compare.

The same code observes a run and a process that was started afresh. There it is executed as it stands, without the rest
of the package, so it imports nothing of it, and of the standard library only what cannot show: what it needs is
imported after the loaded modules were noted, or is built into every interpreter.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_OF_THE_C_LIBRARY = 0b11 << 31
"""Signals 32 and 33, which the C library catches as soon as there is a second thread."""


def main(kind: str, entry: str, report: str) -> None:
    """Import the program ``entry`` and write what can be seen then to ``report``.

    It is a ``script``, a ``module``, or a ``package`` whose ``__main__`` is the program.
    """
    end = load(kind, entry)
    programs = set(sys.modules)
    observation = observe()
    observation["outcome"] = {"imports": end}
    import json

    with open(report, "w", encoding="utf-8", errors="replace") as file:
        file.write(json.dumps(observation, ensure_ascii=False))
    for name in set(sys.modules) - programs:
        sys.modules.pop(name, None)  # a run tells what it has loaded, and the next template loads that


def load(kind: str, entry: str) -> str:
    """Import a module, or execute a script under another name than ``__main__``. Returns how that ended."""
    try:
        if kind == "script":
            _execute(entry, None)
        else:
            __import__(entry)
        if kind == "package":
            _execute(f"{sys.modules[entry].__path__[0]}/__main__.py", entry)
    except BaseException as error:
        return f"raised {type(error).__qualname__}: {error}".rstrip(": ")
    return "done"


def _execute(path: str, package: str | None) -> None:
    """Execute a program's file under the name that `multiprocessing` gives it in its processes."""
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec", dont_inherit=True)
    sys.modules["__mp_main__"] = program = type(sys)("__mp_main__")
    program.__file__ = path
    program.__package__ = package
    exec(code, vars(program))  # noqa: S102 - it is what the user has asked for


def observe() -> dict[str, dict[str, str]]:
    """All that can be seen, as text: by section, then by name.

    What a library keeps is among it only if it is not as the library leaves it: a library that nobody has imported, and
    one that was imported ahead of need, are then alike.
    """
    modules = dict(_modules())  # before anything else is imported
    sections: dict[str, Callable[[], Iterator[tuple[str, str]]]] = {
        "search path": _search_path,
        "environment": _environment,
        "warnings": _warnings,
        "signals": _signals,
        "locale": _locale,
        "descriptors": _descriptors,
        "threads": _threads,
        "random": _random,
        "process": _process,
        "limits": _limits,
        "interpreter": _interpreter,
        "hooks": _hooks,
        "streams": _streams,
        "logging": _logging,
        "libraries": _libraries,
    }
    return {"modules": modules, **{name: _seen(look) for name, look in sections.items()}}


def _seen(look: Callable[[], Iterator[tuple[str, str]]]) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        for name, value in look():
            found[name] = value
    except Exception as error:  # what cannot be seen is told like everything else
        found["…"] = f"cannot be seen: {type(error).__qualname__}: {error}"
    return found


def _named(value: Any) -> str:
    """An object without its address."""
    if value is None or isinstance(value, str | int | float | bool):
        return repr(value)
    name = getattr(value, "__qualname__", None)
    if name is not None:
        return f"{getattr(value, '__module__', '?')}.{name}"
    return f"an object of {type(value).__module__}.{type(value).__qualname__}"


def _modules() -> Iterator[tuple[str, str]]:
    for name, module in list(sys.modules.items()):
        if name in ("__main__", "__mp_main__"):
            continue
        spec = getattr(module, "__spec__", None)
        origin = getattr(spec, "origin", None) or getattr(module, "__file__", None)
        yield name, str(origin) if isinstance(origin, str) else "no file"


def _search_path() -> Iterator[tuple[str, str]]:
    yield "sys.path", "\n".join(map(str, sys.path))
    yield "sys.meta_path", "\n".join(map(_named, sys.meta_path))
    yield "sys.path_hooks", "\n".join(map(_named, sys.path_hooks))


def _environment() -> Iterator[tuple[str, str]]:
    import os

    yield from os.environ.items()


def _warnings() -> Iterator[tuple[str, str]]:
    import warnings

    def described(part: Any) -> str:
        return repr(getattr(part, "pattern", part)) if not isinstance(part, type) else part.__qualname__

    yield "filters", "\n".join(" ".join(map(described, entry)) for entry in warnings.filters)
    yield "showwarning", _named(warnings.showwarning)
    yield "formatwarning", _named(warnings.formatwarning)


def _signals() -> Iterator[tuple[str, str]]:
    import _signal  # type: ignore[import-not-found]

    for number in sorted(_signal.valid_signals()):
        yield f"handler of signal {number}", _named(_signal.getsignal(number))
    yield "interval timers", str([_signal.getitimer(which) for which in range(3)])
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
    for name, meaning in (("SigBlk", "blocked"), ("SigIgn", "ignored"), ("SigCgt", "caught")):
        yield meaning, f"{int(fields[name], 16) & ~_OF_THE_C_LIBRARY:x}"


def _locale() -> Iterator[tuple[str, str]]:
    import _locale

    for name in ("LC_CTYPE", "LC_COLLATE", "LC_TIME", "LC_MONETARY", "LC_MESSAGES", "LC_NUMERIC"):
        yield name, str(_locale.setlocale(getattr(_locale, name)))
    yield "file system encoding", f"{sys.getfilesystemencoding()} {sys.getfilesystemencodeerrors()}"
    import time

    yield "time zone", str((time.tzname, time.timezone, time.daylight))


def _descriptors() -> Iterator[tuple[str, str]]:
    import fcntl
    import os

    for number in sorted(map(int, os.listdir("/proc/self/fd"))):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
            flags, of_file = fcntl.fcntl(number, fcntl.F_GETFD), fcntl.fcntl(number, fcntl.F_GETFL)
        except OSError:
            continue  # the one that listed them
        kind = target.partition(":[")[0]  # without the number of a pipe or socket
        inherited = "" if flags & fcntl.FD_CLOEXEC else ", inherited by programs"
        yield str(number), f"{kind}, flags {of_file:o}{inherited}"


def _threads() -> Iterator[tuple[str, str]]:
    import _thread
    import os

    yield "of Python", str(len(sys._current_frames()))
    yield "of the process", str(len(os.listdir("/proc/self/task")))
    threading = sys.modules.get("threading")
    if threading is not None:
        main = threading.main_thread()
        names = sorted(thread.name for thread in threading.enumerate())
        if names != ["MainThread"]:
            yield "names", "\n".join(names)
        if main is not threading.current_thread() or main.ident != _thread.get_ident():
            yield "this one", "not the main one"
        if not main.native_id == os.getpid() == _thread.get_native_id():
            yield "this one's number", "not that of the process"


def _random() -> Iterator[tuple[str, str]]:
    import zlib

    def digest(state: Any) -> str:
        return f"{zlib.crc32(repr(state).encode()):08x}"

    random = sys.modules.get("random")
    if random is not None:
        yield "random", digest(random.getstate())
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        _, keys, position, *rest = numpy.get_state()
        yield "numpy.random", digest((keys.tolist(), position, rest))
    torch = sys.modules.get("torch")
    if torch is not None:
        yield "torch", digest(torch.initial_seed())


def _process() -> Iterator[tuple[str, str]]:
    import os

    umask = os.umask(0o022)
    os.umask(umask)
    yield "umask", f"{umask:03o}"
    yield "working directory", os.getcwd()
    yield "sys.argv", "\n".join(sys.argv)
    yield "process group", str(os.getpgrp())
    yield "session", str(os.getsid(0))
    yield "niceness", str(os.nice(0))
    yield "processors", str(sorted(os.sched_getaffinity(0)))
    yield "scheduling", str(os.sched_getscheduler(0))
    yield "groups", str(sorted(os.getgroups()))
    yield "users", str((os.getresuid(), os.getresgid()))
    for name in ("oom_score_adj", "personality", "coredump_filter", "timerslack_ns"):
        try:
            with open(f"/proc/self/{name}", encoding="ascii") as file:
                yield name, file.read().strip()
        except OSError:
            continue


def _limits() -> Iterator[tuple[str, str]]:
    import resource

    for name in sorted(dir(resource)):
        if name.startswith("RLIMIT_"):
            yield name, str(resource.getrlimit(getattr(resource, name)))
    # The module does not know this one: 10 is its number on Linux.
    yield "RLIMIT_LOCKS", str(resource.getrlimit(10))


def _interpreter() -> Iterator[tuple[str, str]]:
    import builtins
    import gc

    for name in ("executable", "prefix", "base_prefix", "platform", "dont_write_bytecode", "pycache_prefix"):
        yield f"sys.{name}", str(getattr(sys, name))
    yield "sys.flags", str(sys.flags)
    yield "sys.warnoptions", str(sys.warnoptions)
    yield "sys._xoptions", str(sys._xoptions)
    yield "recursion limit", str(sys.getrecursionlimit())
    yield "switch interval", str(sys.getswitchinterval())
    yield "dlopen flags", str(sys.getdlopenflags())
    if hasattr(sys, "get_int_max_str_digits"):
        yield "digits of integers", str(sys.get_int_max_str_digits())
    yield "hash seed", str(hash("hotreload"))
    yield "names in builtins", "\n".join(sorted(vars(builtins)))
    yield "gc enabled", str(gc.isenabled())
    yield "gc thresholds", str(gc.get_threshold())
    yield "gc frozen", "some" if gc.get_freeze_count() else "none"
    yield "gc callbacks", "\n".join(map(_named, gc.callbacks))


def _hooks() -> Iterator[tuple[str, str]]:
    import atexit

    for name in ("excepthook", "displayhook", "unraisablehook", "breakpointhook"):
        yield f"sys.{name}", _named(getattr(sys, name))
    yield "sys.gettrace", _named(sys.gettrace())
    yield "sys.getprofile", _named(sys.getprofile())
    yield "asynchronous generators", str(tuple(map(_named, sys.get_asyncgen_hooks())))
    threading = sys.modules.get("threading")
    if threading is not None and threading.excepthook is not threading.__excepthook__:
        yield "threading.excepthook", _named(threading.excepthook)
    yield "atexit", str(atexit._ncallbacks())
    import faulthandler

    yield "faulthandler", "enabled" if faulthandler.is_enabled() else "disabled"


def _streams() -> Iterator[tuple[str, str]]:
    for name in ("stdin", "stdout", "stderr"):
        stream = getattr(sys, name)
        attributes = ("encoding", "errors", "mode", "name", "line_buffering", "write_through", "newlines", "closed")
        described = [f"{attribute}={getattr(stream, attribute, None)!r}" for attribute in attributes]
        described.append(f"descriptor={stream.fileno()}" if stream is not None else "none")
        buffer = getattr(stream, "buffer", None)
        described.append(_named(buffer))
        yield f"sys.{name}", f"{_named(stream)} {' '.join(described)}"
        yield f"sys.{name} is sys.__{name}__", str(stream is getattr(sys, f"__{name}__"))


def _logging() -> Iterator[tuple[str, str]]:
    logging = sys.modules.get("logging")
    if logging is None:
        return
    loggers = {"root": logging.root, **logging.root.manager.loggerDict}
    for name, logger in sorted(loggers.items()):
        if not isinstance(logger, logging.Logger):
            continue
        handlers = ", ".join(f"{_named(type(handler))} at {handler.level}" for handler in logger.handlers)
        described = f"level {logger.level}, propagate {logger.propagate}, disabled {logger.disabled}, [{handlers}]"
        level = logging.WARNING if logger is logging.root else logging.NOTSET
        if described != f"level {level}, propagate True, disabled False, []":
            yield name, described
    if logging.root.manager.disable:
        yield "logging.disable", str(logging.root.manager.disable)
    if not logging.raiseExceptions:
        yield "logging.raiseExceptions", str(logging.raiseExceptions)


def _libraries() -> Iterator[tuple[str, str]]:
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is not None:
        process = multiprocessing.current_process()
        described = f"{process.name}, parent {multiprocessing.parent_process()}"
        if described != "MainProcess, parent None":
            yield "multiprocessing", described
    context = sys.modules.get("multiprocessing.context")
    if context is not None and (method := context._default_context.get_start_method(allow_none=True)) is not None:
        yield "multiprocessing start method", method
    events = sys.modules.get("asyncio.events")
    if events is not None:
        if (policy := getattr(events, "_event_loop_policy", None)) is not None:
            yield "asyncio policy", _named(policy)
        if events._get_running_loop() is not None:
            yield "asyncio", "a loop is running"
    decimal = sys.modules.get("decimal")
    if decimal is not None and str(decimal.getcontext()) != str(decimal.Context()):
        yield "decimal", str(decimal.getcontext())
    socket = sys.modules.get("socket")
    if socket is not None and socket.getdefaulttimeout() is not None:
        yield "socket timeout", str(socket.getdefaulttimeout())
