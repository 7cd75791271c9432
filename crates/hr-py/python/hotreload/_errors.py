"""What can go wrong, as exceptions."""

from __future__ import annotations

import signal
from typing import Any


class HotreloadError(Exception):
    """The base of every error that is about hotreload rather than about the code it runs."""


class EnvironmentClosed(HotreloadError):
    """The environment was used outside its ``with`` block, or in another process than the one that made it."""


class SupervisorDied(HotreloadError):
    """The process that owns the template and the runs has ended, and they with it."""


class UnpicklableError(HotreloadError, TypeError):
    """An argument, a result or an exception cannot travel between processes. The message names its type."""


class RunTraceback(Exception):
    """The traceback of an exception as the run saw it: the ``__cause__`` of the exception raised here."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"\n{self.text}"


class RunExited(HotreloadError):
    """A run ended without returning and without an exception: by ``SystemExit``, ``os._exit`` or a signal."""

    process: Any
    """The :class:`~hotreload.IsolatedProcess` that ended."""
    returncode: int | None
    """Its exit code; if a signal killed it, the negative number of the signal; if unknown, ``None``."""
    system_exit: Any
    """The value given to ``SystemExit``, or ``None``."""

    def __init__(self, process: Any, returncode: int | None, system_exit: Any = None) -> None:
        super().__init__(process, returncode, system_exit)
        self.process = process
        self.returncode = returncode
        self.system_exit = system_exit

    @property
    def signal(self) -> signal.Signals | None:
        """The signal that killed it, or ``None``."""
        if self.returncode is None or self.returncode >= 0:
            return None
        try:
            return signal.Signals(-self.returncode)
        except ValueError:
            return None

    def __str__(self) -> str:
        who = f"{self.process.process_name} (pid {self.process.pid})"
        if self.returncode is None:
            return f"{who} ended, and its exit status was lost with the template it was forked from"
        if self.returncode < 0:
            name = self.signal.name if self.signal else f"signal {-self.returncode}"
            return f"{who} was killed by {name}"
        if self.system_exit is not None:
            return f"{who} exited with code {self.returncode} by SystemExit({self.system_exit!r})"
        return f"{who} exited with code {self.returncode} before it returned"
