"""What a run does: it becomes the process its client describes, and calls the function."""

from __future__ import annotations

import builtins
import contextlib
import importlib
import io
import os
import pickle
import sys
import threading
import time
import traceback
from importlib.machinery import ModuleSpec
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any

from hotreload import _native
from hotreload._call import FunctionReference, pickler, type_name, without_unpicklable_parts
from hotreload._effects import ImportEffects, variables
from hotreload._learning import Learning
from hotreload._payload import Payload, is_plain, pack, pack_plain, unpack

if TYPE_CHECKING:
    from hotreload._checkpoints import Checkpoints

_OUR_CODE = os.path.dirname(__file__) + os.sep


def carry_out(
    job: _native.Job, effects: ImportEffects, learning: Learning, checkpoints: Checkpoints | None = None
) -> int:
    """Call the function of ``job`` and return the exit code of the process."""
    become(job, effects)
    if checkpoints is not None:
        checkpoints.begin()
    try:
        return call(job, learning, checkpoints)
    except BaseException:  # such as MemoryError, or an interrupt while a result was on its way
        report_uncaught()
        return 1


def become(job: _native.Job, effects: ImportEffects) -> None:
    """Take on arguments, paths, environment, ``__main__`` and streams of an ordinary process."""
    if not effects.are_those_of(job):
        environment = effects.environment(job.environment)
        if environment != variables():
            os.environb.clear()
            os.environb.update(environment)
            time.tzset()  # the C library reads TZ once
    sys.argv[:] = job.argv
    sys.orig_argv[:] = [sys.executable, *job.argv]
    sys.path[:] = effects.path(job.sys_path)
    install_main(job.main_name, job.main_file)
    threading.main_thread()._set_native_id()  # type: ignore[attr-defined]  # before 3.14 that is still the template's
    reopen_streams(job.stdio)


def install_main(name: str | None, file: str | None) -> None:
    """A ``__main__`` as ``multiprocessing`` and pickle look for it."""
    main = ModuleType("__main__")
    main.__dict__["__builtins__"] = builtins
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    if file is not None:
        main.__file__ = file
    if name is not None:
        main.__spec__ = ModuleSpec(name, None, origin=file)
        main.__package__ = name.rpartition(".")[0]
    sys.modules["__main__"] = main


def reopen_streams(present: tuple[bool, bool, bool]) -> None:
    """Let ``sys.stdin`` and its siblings behave as if they had just been opened on the client's descriptors.

    They stay the same objects, since modules of the template may hold them.
    """
    for descriptor, (name, is_open) in enumerate(zip(("stdin", "stdout", "stderr"), present, strict=True)):
        stream = getattr(sys, name)
        if not is_open:
            setattr(sys, name, None)
            setattr(sys, f"__{name}__", None)
        elif name != "stderr" and isinstance(stream, io.TextIOWrapper):
            # As the interpreter opens them: with -u nothing is buffered, not even lines.
            line_buffering = os.isatty(descriptor) and not stream.write_through
            if stream.line_buffering != line_buffering:
                stream.reconfigure(line_buffering=line_buffering)


def reseed() -> None:
    """Give the run random numbers of its own where the template has drawn a seed, as a fresh process has them.

    ``random`` and ``tempfile`` notice a fork by themselves, and so does OpenSSL; ``secrets`` and ``uuid`` ask the
    kernel each time.
    """
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
    generator = getattr(sys.modules.get("torch"), "default_generator", None)
    if generator is not None:
        generator.seed()
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None:
        processes.current_process().authkey = os.urandom(32)


def rehearse(effects: ImportEffects, learning: Learning) -> None:
    """Go through the motions of a whole run, so that the memory it touches is this process's own when it counts.

    What is called is a function of :mod:`hotreload._rehearsed`, imported as a user's module is. The kernel copies a
    page of the template the first time that a fork writes to it, and Python writes to all that it as much as looks at.
    """
    reseed()
    environment, path = effects.given()
    function = FunctionReference("hotreload._rehearsed", "nothing")
    payload = pack((function, (), {}), pickler())
    job = _native.Job.rehearsal(sys.argv, path, environment, function.module, payload.lengths, payload.inline)
    sys.path_importer_cache.pop(os.path.dirname(__file__), None)  # a user's directory has not been searched, either
    become(job, effects)
    call(job, learning)
    sys.modules.pop(function.module, None)
    vars(sys.modules["hotreload"]).pop("_rehearsed", None)


def call(job: _native.Job, learning: Learning, checkpoints: Checkpoints | None = None) -> int:
    """Call the function and send what came of it. Returns an exit code."""
    by_value = pickler()
    try:
        # Its module comes first, whatever the arguments make pickle import.
        if job.module is not None:
            importlib.import_module(job.module)
            if checkpoints is not None:
                checkpoints.before_call(job.module)
        function, args, kwargs = unpack(Payload(*job.take_function()))
        if isinstance(function, FunctionReference):
            function = function.resolve()
        else:
            publish(function)
        try:
            value = function(*args, **kwargs)
        finally:
            learning.tell(job)
    except SystemExit as leaving:
        code, printed = exit_code(leaving.code)
        if printed is not None and sys.stderr is not None:
            print(printed, file=sys.stderr)
        job.result.system_exit(*_pack_or_none(leaving.code, by_value))
        return code
    except BaseException as error:
        text = "".join(traceback.format_exception(type(error), error, without_our_frames(error)))
        job.result.raised(_pack_exception(error, by_value), type_name(error), text)
        return 1
    try:
        payload = pack_plain(value) if is_plain((value,)) else pack(value, by_value)
    except Exception as error:
        job.result.unpicklable(type_name(value), str(error))
        return 1
    job.result.returned(*payload)
    return 0


def publish(function: Any) -> None:
    """Let ``__main__`` hold a function of the user's script, and what it uses, under the names these have there.

    Whoever pickles one of them in turn, as ``multiprocessing`` does, finds it by that name.
    """
    names = getattr(function, "__globals__", {})
    if getattr(function, "__module__", None) == "__main__" and names.get("__name__") == "__main__":
        main = sys.modules["__main__"].__dict__
        for name, value in [*names.items(), (function.__name__, function)]:
            main.setdefault(name, value)


def exit_code(value: object) -> tuple[int, object | None]:
    """The exit code that ``SystemExit(value)`` means, and what it prints."""
    if value is None:
        return 0, None
    if isinstance(value, int):
        return value & 0xFF, None
    return 1, value


def _pack_or_none(value: object, by_value: Any) -> Payload:
    try:
        return pack(value, by_value)
    except Exception:
        return pack(str(value), by_value)


def _pack_exception(error: BaseException, by_value: Any) -> Payload | None:
    """The exception, or what of it can make the journey. Its traceback travels as text."""
    try:
        payload = pack(error, by_value)
        if payload.inline is not None:
            pickle.loads(payload.inline[: payload.lengths[0]], buffers=[])
    except Exception:
        rest = without_unpicklable_parts(error)
        return None if rest is None else pack(rest, by_value)
    return payload


def without_our_frames(error: BaseException) -> TracebackType | None:
    """The traceback of ``error`` from the first frame that is the user's."""
    first = error.__traceback__
    while first is not None and first.tb_frame.f_code.co_filename.startswith(_OUR_CODE):
        first = first.tb_next
    return first


def report_uncaught() -> None:
    """Print the exception being handled as the interpreter would."""
    error = sys.exc_info()[1]
    if error is not None and sys.stderr is not None:
        traceback.print_exception(type(error), error, without_our_frames(error))


def flush_standard_streams() -> None:
    """Write out what is buffered, if that can be."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):
            if stream is not None and not stream.closed:
                stream.flush()
