"""What each import of a template costs and brings: time, memory, threads, descriptors, environment variables read."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

_PAGE = os.sysconf("SC_PAGE_SIZE")
_BOOTSTRAP: Any = importlib._bootstrap


@dataclass
class Import:
    """One import, nested ones included. Times are nanoseconds, memory is bytes."""

    module: str
    parent: int | None
    start: int
    memory: int
    elapsed: int = 0
    threads: list[str] = field(default_factory=list)
    descriptors: list[str] = field(default_factory=list)
    failed: bool = False


class ImportProfile:
    """A stopwatch around the function that the interpreter calls for every module that is not loaded yet.

    The records are part of the process: a fork has those up to its fork, so what was rolled back was never recorded.
    """

    def __init__(self) -> None:
        self._imports: list[Import] = []
        self._under_way: list[int] = []
        self._reads: dict[str, dict[str, None]] = {}
        self._original: Callable[..., ModuleType] | None = None
        self._origin = time.perf_counter_ns()
        self._spent = 0
        """Nanoseconds that measuring itself has taken."""
        self._threads: frozenset[str] = frozenset()
        self._descriptors: frozenset[str] = frozenset()
        self._targets: dict[str, str] = {}

    def begin(self) -> None:
        """Measure imports from now on."""
        if self._original is None:
            self._original = original = _BOOTSTRAP._find_and_load
            _BOOTSTRAP._find_and_load = self._measured(original)
            self._note_what_appeared()

    def end(self) -> None:
        """Measure no more."""
        if self._original is not None:
            _BOOTSTRAP._find_and_load = self._original
            self._original = None

    def read(self, variable: object) -> None:
        """Note that an environment variable was asked for by what is being imported."""
        if self._under_way and isinstance(variable, str | bytes):
            module = self._imports[self._under_way[-1]].module
            self._reads.setdefault(os.fsdecode(variable), {})[module] = None

    def report(self) -> tuple[list[tuple[Any, ...]], list[tuple[str, list[str]]]]:
        """All imports in the order in which they began, and who has read which variable."""
        imports = [
            (
                one.module,
                one.parent,
                one.start // 1000,
                one.elapsed // 1000,
                one.memory,
                one.threads,
                one.descriptors,
                one.failed,
            )
            for one in self._imports
        ]
        return imports, [(variable, list(modules)) for variable, modules in sorted(self._reads.items())]

    def _measured(self, original: Callable[..., ModuleType]) -> Callable[..., ModuleType]:
        main = threading.get_ident()
        enter, leave = self._enter, self._leave

        def _find_and_load(name: str, *rest: Any) -> ModuleType:
            # `importlib.import_module` comes here for loaded modules as well.
            if name in sys.modules or threading.get_ident() != main:
                return original(name, *rest)
            one = enter(name)
            try:
                module = original(name, *rest)
            except BaseException:
                one.failed = True
                raise
            finally:
                leave(one)
            return module

        # Tracebacks and warnings leave out the frames of the import system, which they know by this name.
        _find_and_load.__code__ = _find_and_load.__code__.replace(co_filename="<frozen importlib._bootstrap>")
        return _find_and_load

    def _enter(self, name: str) -> Import:
        now = time.perf_counter_ns()
        self._note_what_appeared()
        parent = self._under_way[-1] if self._under_way else None
        printable = name.encode(errors="replace").decode()
        one = Import(printable, parent, start=now - self._origin - self._spent, memory=_private_memory())
        self._under_way.append(len(self._imports))
        self._imports.append(one)
        self._spent += time.perf_counter_ns() - now
        return one

    def _leave(self, one: Import) -> None:
        now = time.perf_counter_ns()
        one.elapsed = now - self._origin - self._spent - one.start
        one.memory = _private_memory() - one.memory
        self._note_what_appeared()
        self._under_way.pop()
        self._spent += time.perf_counter_ns() - now

    def _note_what_appeared(self) -> None:
        """Whatever is new since the last look is the work of the innermost import."""
        threads, descriptors = frozenset(os.listdir("/proc/self/task")), frozenset(os.listdir("/proc/self/fd"))
        current = self._imports[self._under_way[-1]] if self._under_way else None
        if threads != self._threads:
            if current is not None:
                current.threads += map(_thread_name, sorted(threads - self._threads))
            self._threads = threads
        if descriptors != self._descriptors:
            targets = _descriptor_targets()
            if current is not None:
                current.descriptors += [target for _, target in sorted(targets.items() - self._targets.items())]
            self._descriptors, self._targets = descriptors, targets


def _private_memory() -> int:
    """Bytes of memory that belong to this process alone, or did before it was forked."""
    with open("/proc/self/statm", "rb", buffering=0) as statm:
        _, resident, shared, *_ = statm.read().split()
    return (int(resident) - int(shared)) * _PAGE


def _thread_name(ident: str) -> str:
    for thread in threading.enumerate():
        if thread.native_id == int(ident):
            return thread.name
    try:
        with open(f"/proc/self/task/{ident}/comm", encoding="utf-8", errors="replace") as comm:
            return f"native thread {comm.read().strip()}"
    except OSError:
        return "a thread that has ended"


def _descriptor_targets() -> dict[str, str]:
    """What each open descriptor leads to, but the one that lists them."""
    targets = {}
    for number in os.listdir("/proc/self/fd"):
        try:
            targets[number] = os.readlink(f"/proc/self/fd/{number}").encode(errors="replace").decode()
        except OSError:
            continue
    return targets
