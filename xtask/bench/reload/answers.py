"""Asks a server on this machine, one connection a question."""

import contextlib
import json
import re
import socket
import time

QUESTION_LIMIT = 10.0
"""Seconds after which one question is given up, and asked again."""

PAUSE = 0.001
"""Seconds between two questions: the server has the processor, not who asks."""

_CONSTANTS = re.compile(rb"\{[^{}]*\}\s*$")


def ask(port: int) -> dict[str, int] | None:
    """What ``/constants`` answers; nothing if there is no server, or no such answer."""
    request = f"GET /constants HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode()
    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", port), QUESTION_LIMIT) as connection:
            connection.sendall(request)
            while block := connection.recv(65536):
                answer += block
    except OSError:
        return None
    if found := _CONSTANTS.search(answer):
        with contextlib.suppress(ValueError):
            return dict(json.loads(found[0]))
    return None


def wait_for(port: int, name: str, value: int, limit: float) -> float | None:
    """The moment at which the constant is answered to have the value; nothing if that takes longer than ``limit``."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        answer = ask(port)
        if answer is not None and answer.get(name) == value:
            return time.monotonic()
        time.sleep(PAUSE)
    return None


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])
