"""What a checkpoint costs the run that leaves it: the time in which it is made, and in which memory is copied later."""

from __future__ import annotations

import os
import time

from hotreload import _native

FIRST = 0.012
"""Seconds that a checkpoint is taken to cost before there was one."""

LEAST = 0.001
"""Seconds that making one is taken to cost at least."""

_PAGE = os.sysconf("SC_PAGE_SIZE")
_PROBED = 16
"""Pages that are written to for the sake of the time it takes."""


class Cost:
    """What the last checkpoint has cost by now, and so most likely the next one will.

    After a fork both sides have their memory in common, and whoever writes to a page copies it first. A program writes
    to much the same pages again and again, those that hold reference counts, so each checkpoint has them copied anew.
    How long one takes differs tenfold between machines, and is measured.
    """

    def __init__(self, expected: int | None) -> None:
        """``expected`` is what another run like this one has measured, in microseconds."""
        self._expected = FIRST if expected is None else expected / 1e6
        self._probe = bytearray(_PAGE * _PROBED)
        self._made: float | None = None
        self._known = self._expected
        """Seconds, when it was last looked up."""
        self._page = 0.0
        """Seconds in which one page is copied."""
        self._copied = 0

    def about_to_make(self) -> None:
        """A checkpoint is made next."""
        self._touch()
        self._began = time.perf_counter()

    def made(self) -> None:
        """It is there, and what is written from now on is copied."""
        now = time.perf_counter()
        self._touch()
        page = (time.perf_counter() - now) / _PROBED
        # What took longer was interrupted by something else.
        self._page = page if self._made is None else min(page, self._page)
        self._made = self._known = max(now - self._began, LEAST)
        self._copied = _native.pages_copied()

    def go_on(self, expected: int | None) -> None:
        """This process begins to write to memory that another one has as well. By now ``expected`` is known."""
        self._expected = self._expected if expected is None else expected / 1e6
        self._known = self._expected if self._made is None else self._made
        self._copied = _native.pages_copied()

    def at_least(self) -> float:
        """Seconds, without looking, which takes longer than most else that is done for each module."""
        return self._known

    def micros(self) -> int | None:
        """Microseconds, if there was a checkpoint."""
        return None if self._made is None else int(self.seconds() * 1e6)

    def seconds(self) -> float:
        """All of it."""
        if self._made is not None:
            self._known = self._made + self._page * max(0, _native.pages_copied() - self._copied)
        return self._known

    def _touch(self) -> None:
        self._probe[::_PAGE] = bytes(_PROBED)
