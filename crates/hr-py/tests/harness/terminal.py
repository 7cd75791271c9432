"""A terminal with an interactive shell in it, used as a person would: type, press keys, read the screen."""

from __future__ import annotations

import fcntl
import os
import re
import select
import shutil
import struct
import subprocess
import termios
import time
from typing import TYPE_CHECKING

import pytest

from harness import processes

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    from harness.user import User

BASH = "bash"
"""The shell. It must have job control, and without editing leaves echo to the terminal."""

needs_shell = pytest.mark.skipif(not shutil.which(BASH), reason="needs a shell that has job control")

PYTHON = "python"
ONCE = "hr run -q --no-reload"
"""What shows nothing that `PYTHON` does not."""
LOOP = "hr run"

PROMPT = "[$?]> "
"""What the shell is to show when it waits for a command: with the exit status of the last one."""

ENTER, UP = "\r", "\x1b[A"
CTRL_C, CTRL_D, CTRL_Z, CTRL_BACKSLASH = "\x03", "\x04", "\x1a", "\x1c"

CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[=>]|\x1b[()][A-Z0-9]")
"""What moves the cursor or colours (ECMA-48), and what selects a keypad or a character set."""


AGAIN = 0.5
"""Seconds after which people press a key again."""


class NotShownError(AssertionError):
    """The screen does not show what was expected."""


class Terminal:
    """A terminal on which a user of `user`'s environment is logged in, in the project's folder."""

    def __init__(self, user: User, **variables: str) -> None:
        self._master, slave = os.openpty()
        self.resize(24, 200)
        name = os.ttyname(slave)
        bin_folder = user.environment.folder / "bin"
        # Whoever leads a session, and has no terminal yet, gets the one that it opens first.
        login = 'exec "$0" --norc --noprofile --noediting -i <>"$1" >&0 2>&1'
        self.shell = subprocess.Popen(
            ["/bin/sh", "-c", login, BASH, name],
            cwd=user.place.project,
            env={
                **user.variables(),
                "PATH": f"{bin_folder}:{os.environ['PATH']}",
                "VIRTUAL_ENV": str(user.environment.folder),
                "TERM": "xterm",
                "PS1": PROMPT,
                "HISTFILE": "",
                **variables,
            },
            start_new_session=True,
        )
        user.children.add(self.shell.pid)
        self._screen = self._raw = ""
        self._read = 0
        self.expect_prompt()
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.hang_up()
        self.shell.wait(processes.LIMIT)

    def type(self, text: str) -> None:
        """Press keys, one after another."""
        os.write(self._master, text.encode())

    def enter(self, line: str) -> None:
        """Type a line when somebody waits for it: nobody is so fast as to type into the middle of a prompt."""
        self.press(line + ENTER)

    def press(self, key: str) -> None:
        """Press a key, or several, when the program waits for one.

        GNU readline does not notice an interrupt that comes after it has shown its prompt and before it waits, and
        where else a program is interrupted would be a matter of chance.
        """
        deadline = time.monotonic() + processes.LIMIT
        while not processes.group_sleeps(os.tcgetpgrp(self._master)):
            assert time.monotonic() < deadline, f"the program does not wait:\n{self._screen}"
            time.sleep(processes.REAPING_INTERVAL)
        self.type(key)

    def run(self, command: str) -> tuple[int, str]:
        """Run a command of the shell that needs no keys; its exit status and what it has shown."""
        self.enter(command)
        self.expect(command)
        return self.expect_prompt()

    def expect(self, text: str) -> str:
        """Wait until the screen shows `text`, further down than what was expected before. What came before it."""
        return self._wait_for(lambda new: _place(new, text), repr(text))

    def expect_match(self, pattern: str, limit: float = processes.LIMIT) -> re.Match[str]:
        """The same for a regular expression."""
        found: list[re.Match[str]] = []

        def find(new: str) -> tuple[int, int] | None:
            match = re.search(pattern, new)
            if match:
                found.append(match)
            return match.span() if match else None

        self._wait_for(find, pattern, limit)
        return found[0]

    def expect_prompt(self, limit: float = processes.LIMIT) -> tuple[int, str]:
        """Wait until the shell asks for the next command; the last one's exit status and what was shown until then."""
        match = self.expect_match(r"(?s)(.*?)\[(\d+)\]> ", limit)
        return int(match[2]), match[1].strip("\r\n").replace("\r\n", "\n")

    def press_until_prompt(self, key: str) -> int:
        """Press a key again and again, as people do, until the shell asks for a command; the exit status.

        Signals that come at once count as one, and nothing shows when one was taken.
        """
        while True:
            self.press(key)
            try:
                return self.expect_prompt(AGAIN)[0]
            except NotShownError:
                continue

    def resize(self, rows: int, columns: int) -> None:
        """Give the window another size."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def settings(self) -> list[object]:
        """How the terminal is set: `termios.tcgetattr`."""
        return list(termios.tcgetattr(self._master))

    def is_raw(self) -> bool:
        """Whether keys are passed on one by one, as full-screen programs want them."""
        local: int = termios.tcgetattr(self._master)[3]
        return not local & termios.ICANON

    def hang_up(self) -> None:
        """Close the window."""
        if self._master >= 0:
            os.close(self._master)
        self._master = -1

    def shown(self) -> str:
        """Everything that was sent to the screen since the beginning, and has been read: colours and all."""
        return self._raw

    def _wait_for(
        self, find: Callable[[str], tuple[int, int] | None], what: str, limit: float = processes.LIMIT
    ) -> str:
        deadline = time.monotonic() + limit
        while (place := find(self._screen[self._read :])) is None:
            readable, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
            try:
                more = os.read(self._master, 65536) if readable else b""
            except OSError:  # nobody has the terminal open any more
                more = b""
            if not more:
                raise NotShownError(f"{what} does not appear on the screen:\n{self._screen}")
            self._raw += more.decode(errors="replace")
            self._screen = CONTROL_SEQUENCE.sub("", self._screen + more.decode(errors="replace"))
        first, last = place
        before = self._screen[self._read : self._read + first]
        self._read += last
        return before


def _place(new: str, text: str) -> tuple[int, int] | None:
    start = new.find(text)
    return None if start < 0 else (start, start + len(text))
