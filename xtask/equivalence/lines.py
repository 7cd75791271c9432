"""The lines that a process prints, waited for with a deadline."""

import fcntl
import os
import select
import time
from collections.abc import Iterator

CAPACITY = 1 << 20
"""Bytes that a process may print while nobody reads: what a server logs must not hold it up."""

LIMIT = 120.0
"""Seconds. A bound against hanging, far above what anything here takes."""


class SilenceError(Exception):
    """A process that neither says what is waited for nor ends."""


class Lines:
    """What comes out of a pipe, line by line."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = b""
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, CAPACITY)

    def until_end(self) -> Iterator[str]:
        """Each line as it comes, until there are no more."""
        deadline = time.monotonic() + LIMIT
        while (line := self._next(deadline)) is not None:
            yield line

    def _next(self, deadline: float) -> str | None:
        while b"\n" not in self._rest:
            readable, _, _ = select.select([self._descriptor], [], [], max(0.0, deadline - time.monotonic()))
            if not readable:
                raise SilenceError(f"nothing more within {LIMIT:.0f} s, after {self._rest!r}")
            more = os.read(self._descriptor, 65536)
            if not more:
                return None
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode(errors="replace")
