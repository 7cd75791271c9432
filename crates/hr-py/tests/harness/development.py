"""`hr run` as a developer uses it: started in a project, its files saved, its lines read, its server asked."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import itertools
import os
import select
import signal
import socket
import subprocess
import termios
import time
from typing import TYPE_CHECKING

from harness import processes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.user import User

INTERRUPT = b"\x03"
"""What a terminal sends for Ctrl-C."""

OUTPUT_FLAGS = 1
LOCAL_FLAGS = 3
"""Places in what `termios.tcgetattr` returns."""

ASKING_INTERVAL = 0.01
"""Seconds between two requests to a server that does not listen yet; nothing tells of another process's sockets."""

_addresses = itertools.count(1)


class Development:
    """One `hr run`, on a terminal of its own if asked, with all that it and the program write in one stream."""

    def __init__(self, user: User, *words: str, terminal: bool = False, **variables: str) -> None:
        self.lines: list[str] = []
        self._project = user.place.project
        self._seen: dict[str, int] = {}
        self._rest = b""
        self._terminal, output = os.openpty() if terminal else os.pipe()
        if terminal:
            _leave_output_alone(output)
        hr = str(user.environment.folder / "bin" / "hr")
        python = [] if "--python" in words else ["--python", str(user.environment.python)]
        with contextlib.closing(os.fdopen(output, "wb", buffering=0)):
            self.process = subprocess.Popen(
                [hr, "run", *python, *words],
                cwd=self._project,
                env={**user.variables(), "TERM": "xterm", **variables},
                stdin=output if terminal else subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                # The test process has no threads of its own that could hold a lock here.
                preexec_fn=_take_terminal if terminal else None,  # noqa: PLW1509
            )
        user.children.add(self.process.pid)

    def wait_for(self, text: str) -> str:
        """Wait for the next line that contains `text` and was not waited for before.

        In which order `hr` and the program write is nobody's promise, so each text is looked for by itself.
        """
        deadline = time.monotonic() + processes.LIMIT
        while True:
            for line in self.lines[self._seen.get(text, 0) :]:
                self._seen[text] = self._seen.get(text, 0) + 1
                if text in line:
                    return line
            if not self._read(deadline):
                raise AssertionError(f"no line with {text!r}\n{self}")

    def told(self, text: str) -> list[str]:
        """All lines so far that contain `text`."""
        return [line for line in self.lines if text in line]

    def save(self, name: str, text: str) -> None:
        """Write a file of the project as most editors do: another one, renamed over the first."""
        path = self._project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        new.write_text(text, encoding="utf-8")
        new.replace(path)

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Let `hr` hear of what happens meanwhile only afterwards, so that it is at once even on a busy machine."""
        self.process.send_signal(signal.SIGSTOP)
        yield
        self.process.send_signal(signal.SIGCONT)

    def ask(self, address: Address, path: str = "/") -> str:
        """What the program answers over HTTP; waits until it listens."""
        deadline = time.monotonic() + processes.LIMIT
        while True:
            connection = http.client.HTTPConnection(address.host, address.port, timeout=processes.LIMIT)
            try:
                with contextlib.closing(connection):
                    connection.request("GET", path)
                    return connection.getresponse().read().decode()
            except ConnectionRefusedError:
                assert time.monotonic() < deadline, f"nobody listens at {address}\n{self}"
                self._read(time.monotonic() + ASKING_INTERVAL)
            except OSError as error:
                self._read(time.monotonic() + 1)
                raise AssertionError(f"no answer from {address}: {error}\n{self}") from None

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        os.write(self._terminal, INTERRUPT)

    def end(self, signal_: signal.Signals) -> int:
        """Send `hr` alone a signal, and return its exit status."""
        self.process.send_signal(signal_)
        return self.wait()

    def wait(self) -> int:
        """Wait for the end, read what is left, and return the exit status, as `subprocess` tells it."""
        deadline = time.monotonic() + processes.LIMIT
        while self._read(deadline):
            pass
        assert time.monotonic() < deadline, f"hr hangs\n{self}"
        return self.process.wait(processes.LIMIT)

    def close(self) -> None:
        """Give up, if it is still there."""
        self.process.kill()
        self.process.wait(processes.LIMIT)
        os.close(self._terminal)

    def _read(self, deadline: float) -> bool:
        """Read more of the lines. Returns false at the end, and when it is too late."""
        readable, _, _ = select.select([self._terminal], [], [], max(0.0, deadline - time.monotonic()))
        chunk = b""
        # A terminal that nobody writes to any more cannot be read.
        with contextlib.suppress(OSError):
            chunk = os.read(self._terminal, 65536) if readable else b""
        *complete, self._rest = (self._rest + chunk).split(b"\n")
        # What is written over ends with a carriage return.
        self.lines += [line.decode(errors="replace").rpartition("\r")[2] for line in complete]
        return bool(chunk)

    def __str__(self) -> str:
        return "\n".join([*self.lines, self._rest.decode(errors="replace")])


class Address:
    """Where one server of one test listens. No other test has the same host, so that nobody takes the port."""

    def __init__(self) -> None:
        number = (os.getpid() << 6 | next(_addresses) % 64) % (1 << 24 - 1)
        self.host = f"127.{128 | number >> 16}.{number >> 8 & 255}.{number & 255 or 1}"
        with socket.socket() as unused:
            unused.bind((self.host, 0))
            self.port = unused.getsockname()[1]

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def is_free(self) -> bool:
        """Whether nobody listens there."""
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) != 0


def _take_terminal() -> None:
    """Between fork and exec: make standard input the controlling terminal."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _leave_output_alone(terminal: int) -> None:
    """Let a terminal neither echo nor change what is written."""
    attributes = termios.tcgetattr(terminal)
    attributes[OUTPUT_FLAGS] &= ~termios.OPOST
    attributes[LOCAL_FLAGS] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)
