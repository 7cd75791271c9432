"""What a fork would not keep, or would share: past such a point, a run leaves no more checkpoints."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator
from types import FrameType

from hotreload._descriptors import Descriptors

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

_STARTS_A_PROCESS = frozenset(
    event for event, meaning in POINTS_OF_NO_RETURN.items() if meaning == "a process was started"
)

_ASKS_THE_MACHINE = frozenset({"ctypes.util", "platform", "uuid"})
"""Modules of the standard library that have programs such as ``ldconfig`` and ``uname`` tell them about the machine.
These have ended when the answer is there. Many libraries look for a native one in this way while they are imported."""


def asks_the_machine(event: str, frame: FrameType | None) -> bool:
    """Whether ``event``, which comes from ``frame``, is no point of no return for that reason."""
    while event in _STARTS_A_PROCESS and frame is not None:
        if frame.f_globals.get("__name__") in _ASKS_THE_MACHINE:
            return True
        frame = frame.f_back
    return False


class Surroundings:
    """What a program has of the world outside its memory, beyond what it began with."""

    def __init__(self) -> None:
        self.descriptors = Descriptors()
        self._threads = len(os.listdir("/proc/self/task"))
        self._shared = _shared_memory()
        self._read = _read_so_far(self.descriptors.stdin())

    def obstacle(self) -> str | None:
        """What stands against a checkpoint at this moment, for people."""
        return next(self._obstacles(), None)

    def _obstacles(self) -> Iterator[str]:
        if len(os.listdir("/proc/self/task")) > self._threads:
            yield "a thread runs"
        if _has_children():
            yield "a process was started"
        yield from self.descriptors.obstacles()
        if _shared_memory() - self._shared:
            yield "memory is shared with other processes"
        if signal.getitimer(signal.ITIMER_REAL)[0]:
            yield "a timer runs"
        if signal.getsignal(signal.SIGCHLD) not in {signal.SIG_DFL, signal.SIG_IGN, None}:
            yield "SIGCHLD is handled"
        if self._read is not None and _read_so_far(self.descriptors.stdin()) != self._read:
            yield "input was read"


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


def _read_so_far(stdin: int | None) -> int | None:
    """How far standard input has been read, where that can be told."""
    try:
        if stdin is None or not stat.S_ISREG(os.fstat(stdin).st_mode):
            return None
        return os.lseek(stdin, 0, os.SEEK_CUR)
    except OSError:
        return None
