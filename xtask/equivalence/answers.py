"""Asks a server on this machine, and tells two answers apart."""

import difflib
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import urlencode

QUESTION_LIMIT = 60.0
"""Seconds for one answer."""

HOST = "localhost"
"""What both are told that they were called by: their ports differ, and pages hold the address they were asked at."""

SHOWN = 40
"""Lines of a difference that are shown."""

_TIMES = {"date", "expires"}
"""Headers that hold the time of the answer."""

_NOISE = (
    # Django masks its tokens anew in each answer.
    (re.compile(rb'(name="csrfmiddlewaretoken" value=")\w+'), rb"\1token"),
    (re.compile(rb'("?csrfToken"?: ")\w+'), rb"\1token"),
    # When a site's health was checked, and how long that took.
    (re.compile(rb"Generated at [^<]* with <a"), b"Generated with <a"),
    (re.compile(rb"\d+[.,]\d+(&#x202F;s)"), rb"0\1"),
)
_COOKIE = re.compile(r"csrftoken=\w+; expires=[^;]+")


@dataclass(frozen=True)
class Answer:
    """What a server said, without what differs from one answer to the next."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def text(self) -> list[str]:
        """All of it, for people."""
        head = [str(self.status), *(f"{name}: {value}" for name, value in self.headers), ""]
        return head + self.body.decode(errors="replace").splitlines()


def ask(port: int, path: str, cookies: Mapping[str, str]) -> Answer:
    """What is answered at an address, or why nothing is."""
    try:
        response, body = _exchange(port, "GET", path, cookies)
    except (OSError, HTTPException) as error:
        return Answer(0, (), repr(error).encode())
    headers = [
        (name, _COOKIE.sub("csrftoken=token", value))
        for name, value in response.getheaders()
        if name.lower() not in _TIMES
    ]
    for noise, replacement in _NOISE:
        body = noise.sub(replacement, body)
    return Answer(response.status, tuple(headers), body)


def log_in(port: int, path: str, name: str, password: str) -> dict[str, str]:
    """The cookies of somebody who has logged in to Django's admin."""
    page, _ = _exchange(port, "GET", path, {})
    cookies = _cookies(page)
    form = {"username": name, "password": password, "csrfmiddlewaretoken": cookies["csrftoken"]}
    answer, _ = _exchange(port, "POST", path, cookies, urlencode(form))
    return cookies | _cookies(answer)


def difference(expected: Answer, got: Answer) -> list[str]:
    """Where two answers differ, line by line."""
    return unified(expected.text(), got.text())


def unified(expected: Sequence[str], got: Sequence[str]) -> list[str]:
    """Where lines differ."""
    lines = difflib.unified_diff(expected, got, "cold start", "hr run", lineterm="", n=1)
    return list(lines)[:SHOWN]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def _exchange(
    port: int, method: str, path: str, cookies: Mapping[str, str], form: str | None = None
) -> tuple[HTTPResponse, bytes]:
    headers = {"Host": HOST, "Connection": "close", "Cookie": "; ".join(f"{n}={v}" for n, v in cookies.items())}
    if form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    connection = HTTPConnection("127.0.0.1", port, timeout=QUESTION_LIMIT)
    try:
        connection.request(method, path, form, headers)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def _cookies(response: HTTPResponse) -> dict[str, str]:
    found: Sequence[str] = response.headers.get_all("Set-Cookie") or []
    pairs = (cookie.partition(";")[0].partition("=") for cookie in found)
    return {name: value for name, _, value in pairs}
