"""The collection of garbage while a template imports.

Imports make objects that stay, and collections that look through them find next to nothing: 5 percent of the time of
pandas and scikit-learn. One collection at the end does as well.
"""

from __future__ import annotations

import gc

_SELDOM = 200_000, 100, 1000
"""Thresholds that few modules reach: some 20 MB of objects."""


class RareCollections:
    """Thresholds of this process's, while it imports."""

    def __init__(self) -> None:
        self._usual: tuple[int, int, int] | None = None
        self._ours: tuple[int, int, int] | None = None

    def begin(self) -> None:
        """Collect seldom from now on."""
        if self._usual is None:
            self._usual = gc.get_threshold()
            gc.set_threshold(*_SELDOM)
            self._ours = gc.get_threshold()

    def end(self) -> None:
        """Collect as usual, or as a module has said that was imported meanwhile."""
        if self._usual is not None and gc.get_threshold() == self._ours:
            gc.set_threshold(*self._usual)
        self._usual = None
