"""Lines that another process writes, one at a time."""

from __future__ import annotations

import os
import select
import time

from harness import processes


class Lines:
    """The lines of a pipe or a terminal. Nobody else reads it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = b""

    def next(self) -> str:
        """The next line, with its end.

        :raises EOFError: nothing more is written, or not in time
        """
        deadline = time.monotonic() + processes.LIMIT
        while b"\n" not in self._rest:
            readable, _, _ = select.select([self._descriptor], [], [], max(0.0, deadline - time.monotonic()))
            more = os.read(self._descriptor, 65536) if readable else b""
            if not more:
                raise EOFError(f"nothing more is said after {self._rest!r}")
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode() + "\n"
