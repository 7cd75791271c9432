"""Random numbers of a run that goes on from a checkpoint.

What was seeded by the program is in the state in which the program has left it; what was not is as random as anywhere.
"""

from __future__ import annotations

import sys
from typing import Any


class RandomStates:
    """The generators that modules share, as they are at the beginning."""

    def __init__(self) -> None:
        self._seed = _seed()

    def remember(self) -> Any:
        """The state of ``random``, if the program has seeded it: a fork seeds it anew."""
        seed = _seed()
        if seed is None or seed == self._seed:
            return None
        if self._seed is None:
            self._seed = seed  # it was imported just now, and is seeded by that
            return None
        return sys.modules["random"].getstate()

    def restore(self, state: Any) -> None:
        """Go on with what :meth:`remember` has returned."""
        if state is not None:
            sys.modules["random"].setstate(state)
        elif self._seed is not None:
            self._seed = _seed()


def _seed() -> Any:
    """What tells whether ``random`` was seeded. Drawing a few numbers does not change it."""
    random = sys.modules.get("random")
    try:
        return None if random is None else hash(random.getstate()[1][:-1])
    except (AttributeError, TypeError, IndexError):
        return None
