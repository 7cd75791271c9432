"""What a fork would not keep, or would share: past such a point, a run leaves no more checkpoints."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import sys
from collections.abc import Iterator
from typing import NamedTuple

POINTS_OF_NO_RETURN = {
    "_thread.start_joinable_thread": "a thread was started",
    "_thread.start_new_thread": "a thread was started",
    "builtins.breakpoint": "a debugger was started",
    "builtins.input": "input was read",
    "fcntl.flock": "a file was locked",
    "fcntl.lockf": "a file was locked",
    "os.exec": "another program was started",
    "os.fork": "a process was forked",
    "os.forkpty": "a process was forked",
    "os.posix_spawn": "a process was started",
    "os.system": "a process was started",
    "pty.spawn": "a process was started",
    "socket.bind": "a socket was bound",
    "socket.connect": "a connection was made",
    "socket.sendto": "something was sent",
    "subprocess.Popen": "a process was started",
}
"""Audit events after which the state of a program is not in its memory alone, and what each means for people."""

_HARMLESS = ("/dev/null", "/dev/urandom", "/dev/random", "/dev/zero")


class Position(NamedTuple):
    """An open file that is only read, and how far."""

    descriptor: int
    offset: int
    inherited: bool


class Surroundings:
    """What a program has of the world outside its memory, beyond what it began with."""

    def __init__(self) -> None:
        self._descriptors = self._before_pause = _descriptors()
        self._threads = len(os.listdir("/proc/self/task"))
        self._shared = _shared_memory()
        self._read = _read_so_far()

    def obstacle(self) -> str | None:
        """What stands against a checkpoint at this moment, for people."""
        return next(self._obstacles(), None)

    def _obstacles(self) -> Iterator[str]:
        if len(os.listdir("/proc/self/task")) > self._threads:
            yield "a thread runs"
        if _has_children():
            yield "a process was started"
        yield from filter(None, map(_obstacle_of, _descriptors() - self._descriptors))
        if _shared_memory() - self._shared:
            yield "memory is shared with other processes"
        if signal.getitimer(signal.ITIMER_REAL)[0]:
            yield "a timer runs"
        if signal.getsignal(signal.SIGCHLD) not in {signal.SIG_DFL, signal.SIG_IGN, None}:
            yield "SIGCHLD is handled"
        if _read_so_far() != self._read:
            yield "input was read"

    def positions(self) -> list[Position]:
        """The files that are open for reading, and how far each has been read."""
        found = []
        self._before_pause = _descriptors()
        for descriptor in self._before_pause - self._descriptors:
            with contextlib.suppress(OSError):
                offset = os.lseek(descriptor, 0, os.SEEK_CUR)
                found.append(Position(descriptor, offset, os.get_inheritable(descriptor)))
        return found

    def reopen(self, positions: list[Position]) -> None:
        """Give this process files of its own, each read as far as it was. Until now it shares how far with others."""
        # What was opened since the pause is none of the program's.
        self._descriptors |= _descriptors() - self._before_pause
        for descriptor, offset, inherited in positions:
            with contextlib.suppress(OSError):
                own = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
                os.lseek(own, offset, os.SEEK_SET)
                os.dup2(own, descriptor, inheritable=inherited)
                os.close(own)


def _descriptors() -> set[int]:
    # The one that lists them is among them, and gone when this returns.
    listed = {int(name) for name in os.listdir("/proc/self/fd")}
    return {descriptor for descriptor in listed if _is_open(descriptor)}


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _obstacle_of(descriptor: int) -> str | None:
    try:
        kind = os.fstat(descriptor).st_mode
        name = os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return None
    if name in _HARMLESS:
        return None
    if stat.S_ISSOCK(kind):
        return "a socket is open"
    if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
        return f"{name} is open"
    if _flags(descriptor) & os.O_ACCMODE != os.O_RDONLY:
        return f"{name} is open for writing"
    return None


def _flags(descriptor: int) -> int:
    # In bytes: a codec would be one more module that the program has loaded.
    with open(f"/proc/self/fdinfo/{descriptor}", "rb") as information:
        lines = dict(line.split(b":", 1) for line in information if b":" in line)
    return int(lines[b"flags"], 8)


def _has_children() -> bool:
    try:
        with open("/proc/thread-self/children", "rb") as children:
            return bool(children.read().strip())
    except OSError:
        return False  # a kernel that does not tell; processes are also heard of when they are started


def _shared_memory() -> set[str]:
    """The memory that is mapped for writing and shared, each by its address and name."""
    try:
        with open("/proc/self/maps", "rb") as maps:
            return {os.fsdecode(line) for line in maps if line[:120].partition(b" ")[2].startswith(b"rw-s")}
    except OSError:
        return set()


def _read_so_far() -> int | None:
    """How far standard input has been read, where that can be told."""
    try:
        return os.lseek(sys.stdin.fileno(), 0, os.SEEK_CUR) if sys.stdin is not None else None
    except (OSError, ValueError):
        return None
