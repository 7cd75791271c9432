"""What is left of a test: processes, found by a mark in their environment, sockets and temporary files.

The test process makes itself a subreaper, so that orphans come to it instead of to an init that may never
reap: it ends their lives as init would, and a zombie that remains is one whose own parent neglects it.
"""

from __future__ import annotations

import ctypes
import os
import select
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

MARK = "HOTRELOAD_TEST_MARK"
"""Environment variable that every process of a test inherits."""

LIMIT = 60.0
"""Seconds. A bound against hanging, far above what anything here takes."""

SOON = 10.0
"""Seconds. What is promised within one second on an idle machine must hold within this on a busy one."""

REAPING_INTERVAL = 0.01
"""Seconds between two looks at what the kernel does not tell of: that a process was reaped, or has forked."""

PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent died."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def drop_override() -> None:
    """Between fork and exec: let the modes of files bind root like anybody else."""
    if os.geteuid() != 0:
        return
    _prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE)
    _prctl(PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH)


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}, {value})")


@dataclass(frozen=True)
class Process:
    """One line of the process table."""

    pid: int
    parent: int
    group: int
    state: str
    command: str


def process(pid: int) -> Process | None:
    """One process, or None if there is none of that number."""
    with suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        command, _, rest = stat[stat.index("(") + 1 :].rpartition(")")
        state, parent, group, *_ = rest.split()
        return Process(pid, int(parent), int(group), state, command)
    return None


def has_ended(pid: int) -> bool:
    """Whether a process is over. Whoever is to collect it may not have come to it."""
    entry = process(pid)
    return entry is None or entry.state == "Z"


def all_processes() -> list[Process]:
    """Every process that can be seen."""
    found = (process(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [entry for entry in found if entry is not None]


def children(pid: int) -> set[int]:
    """The process ids of a process's children that have not ended."""
    return {entry.pid for entry in all_processes() if entry.parent == pid and entry.state != "Z"}


def group_sleeps(group: int) -> bool:
    """Whether every process of a group waits for something."""
    return all(entry.state in "SZ" for entry in all_processes() if entry.group == group)


def wait_for_children(pid: int, number: int) -> set[int]:
    """Wait until a process has at least so many children; the kernel does not tell of another's forks."""
    deadline = time.monotonic() + LIMIT
    while len(found := children(pid)) < number:
        assert time.monotonic() < deadline, f"process {pid} has {len(found)} children, not {number}"
        time.sleep(REAPING_INTERVAL)
    return found


def has_mark(pid: int, mark: str) -> bool:
    """Whether a process was started with the mark in its environment. A zombie has no environment."""
    with suppress(OSError):
        return f"{MARK}={mark}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return False


def marked(mark: str) -> list[Process]:
    """Every living process of a test, with all of their descendants, zombies included."""
    everything = all_processes()
    children: dict[int, list[Process]] = {}
    for entry in everything:
        children.setdefault(entry.parent, []).append(entry)
    waiting = [entry for entry in everything if has_mark(entry.pid, mark)]
    found: dict[int, Process] = {}
    while waiting:
        entry = waiting.pop()
        if entry.pid not in found:
            found[entry.pid] = entry
            waiting.extend(children.get(entry.pid, ()))
    return list(found.values())


def reap_orphans(own_children: set[int]) -> None:
    """End the zombies that this process adopted, as init would; its own children are left to their owners."""
    for entry in all_processes():
        if entry.parent == os.getpid() and entry.state == "Z" and entry.pid not in own_children:
            with suppress(ChildProcessError):
                os.waitpid(entry.pid, os.WNOHANG)


def wait_until_gone(pids: list[int], deadline: float) -> None:
    """Wait until processes have ended, or until a moment of the monotonic clock."""
    with ExitStack() as stack:
        poll = select.poll()
        pending = set()
        for pid in pids:
            with suppress(ProcessLookupError):
                descriptor = os.pidfd_open(pid)
                stack.callback(os.close, descriptor)
                poll.register(descriptor, select.POLLIN)
                pending.add(descriptor)
        while pending and (left := deadline - time.monotonic()) > 0:
            for descriptor, _ in poll.poll(left * 1000):
                poll.unregister(descriptor)
                pending.discard(descriptor)


def remaining(mark: str, own_children: set[int], patience: float = SOON) -> list[Process]:
    """Processes of a test that do not end by themselves.

    Waits for those that are ending; `patience` (seconds) only bounds a wait that would be endless.
    """
    deadline = time.monotonic() + patience
    while True:
        reap_orphans(own_children)
        left = [entry for entry in marked(mark) if entry.pid not in own_children]
        if not left or time.monotonic() >= deadline:
            return left
        living = [entry.pid for entry in left if entry.state != "Z"]
        if living:
            wait_until_gone(living, deadline)
        else:
            time.sleep(REAPING_INTERVAL)


def files_below(*folders: Path) -> list[Path]:
    """Every file, socket and folder that lies below some folders."""
    return sorted(path for folder in folders for path in folder.rglob("*"))
