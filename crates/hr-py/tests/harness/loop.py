"""A development loop, `hr run`, without a terminal: its processes, what it says, and its end.

Programs that are interrupted wait in short sleeps: CPython does not wake up for a signal that comes between its last
look for one and the system call (one in some thousands that are sent right after a line was printed).
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from harness import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harness.user import User


class Loop:
    """`hr run` in the user's project, in a session of its own. What the program prints and `hr` says is one stream."""

    def __init__(
        self,
        user: User,
        *arguments: str,
        before: Sequence[str] = (),
        grace: float = 0.1,
        stderr: int | None = None,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self._output, output = os.pipe()
        self.output = self._output
        self.process = subprocess.Popen(
            [
                *before,
                user.environment.folder / "bin" / "hr",
                "run",
                "--python",
                user.environment.python,
                "--grace",
                str(grace),
                *arguments,
            ],
            cwd=user.place.project,
            env=user.variables(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output if stderr is None else stderr,
            start_new_session=True,
            preexec_fn=prepare,  # noqa: PLW1509 - the test process has no threads that could hold a lock here
        )
        os.close(output)
        user.children.add(self.process.pid)
        self._text = ""
        self._read = 0

    def expect(self, text: str) -> str:
        """Wait until `text` is said, after what was expected before. What came before it."""
        deadline = time.monotonic() + processes.LIMIT
        while (place := self._text.find(text, self._read)) < 0:
            readable, _, _ = select.select([self._output], [], [], max(0.0, deadline - time.monotonic()))
            more = os.read(self._output, 65536) if readable else b""
            assert more, f"{text!r} is not said:\n{self._text}"
            self._text += more.decode(errors="replace")
        before = self._text[self._read : place]
        self._read = place + len(text)
        return before

    def expect_number(self) -> int:
        """The number up to the next full stop."""
        return int(self.expect(".").split()[-1])

    def rest(self) -> str:
        """What is said until everything has ended that could say something."""
        deadline = time.monotonic() + processes.LIMIT
        while True:
            readable, _, _ = select.select([self._output], [], [], max(0.0, deadline - time.monotonic()))
            assert readable, f"somebody keeps the output open:\n{self._text}"
            more = os.read(self._output, 65536)
            if not more:
                return self._text[self._read :]
            self._text += more.decode(errors="replace")

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Let `hr` hear of what happens meanwhile only afterwards, so that it is at once even on a busy machine."""
        self.process.send_signal(signal.SIGSTOP)
        yield
        self.process.send_signal(signal.SIGCONT)

    def interrupt(self) -> int:
        """End it; its exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end; its exit status."""
        return self.process.wait(processes.LIMIT)

    def close(self) -> None:
        """Stop reading what it says."""
        os.close(self._output)
