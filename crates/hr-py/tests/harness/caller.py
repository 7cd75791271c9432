"""A user who calls one function again and again, in runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from harness import processes
from harness.lines import Lines

if TYPE_CHECKING:
    from harness.user import User


class Caller:
    """A process that calls functions of `module`. What its runs print and what comes of them is one stream."""

    def __init__(self, user: User, module: str) -> None:
        self._child = user.start_script("caller.py", module)
        assert self._child.stdout is not None
        self._lines = Lines(self._child.stdout.fileno())
        assert self._line() == "READY\n"

    def call(self, function: str, *arguments: object, **variables: str) -> list[str]:
        """The lines that come of a call: what was printed on the way, and what it has returned or raised."""
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps([function, arguments, variables]) + "\n")
        self._child.stdin.flush()
        lines = [self._line()]
        while not lines[-1].startswith(("RETURNED ", "RAISED ")):
            lines.append(self._line())
        return lines

    def value(self, function: str, *arguments: object, **variables: str) -> Any:
        """What a call returns."""
        last = self.call(function, *arguments, **variables)[-1]
        assert last.startswith("RETURNED "), last
        return json.loads(last.removeprefix("RETURNED "))

    def end(self) -> None:
        """No more calls."""
        _, errors = self._child.communicate(timeout=processes.LIMIT)
        assert self._child.returncode == 0, errors

    def _line(self) -> str:
        try:
            return self._lines.next()
        except EOFError as end:
            _, errors = self._child.communicate(timeout=processes.LIMIT)
            raise AssertionError(f"{end}\n{errors}") from None
