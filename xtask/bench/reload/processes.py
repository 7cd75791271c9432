"""What processes hold and take, as the kernel tells."""

import contextlib
import os
import signal
from pathlib import Path


def tree(root: int) -> set[int]:
    """The process ``root``, all that descend from it, and all others of their session, which is theirs alone."""
    parents: dict[int, int] = {}
    found = {root}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                _, parent, _, session = Path(entry.path, "stat").read_text().rpartition(")")[2].split()[:4]
                parents[int(entry.name)] = int(parent)
                if int(session) == root:
                    found.add(int(entry.name))
    added = True
    while added:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
        added = bool(more)
    return found & parents.keys()


def busy(pids: set[int]) -> dict[int, float]:
    """Seconds of processor time that each process has had, all of its threads together."""
    seconds = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            tasks = [Path(entry.path, "schedstat").read_text() for entry in os.scandir(f"/proc/{pid}/task")]
            seconds[pid] = sum(int(task.split()[0]) for task in tasks) / 1e9
    return seconds


def memory(pids: set[int]) -> int:
    """Kilobytes that no file backs, those that several of the processes share counted once."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:")))
    return total


class Watched:
    """Processes that are to be gone at the end, held so that no other process is taken for one of them."""

    def __init__(self, pids: set[int]) -> None:
        self._handles = []
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                self._handles.append(os.pidfd_open(pid))

    def kill(self) -> None:
        """Kill each that is still there."""
        for handle in self._handles:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            os.close(handle)
        self._handles.clear()
