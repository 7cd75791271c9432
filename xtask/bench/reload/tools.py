"""The tools that are compared, each started the way its documentation says."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Tool:
    """A way of keeping a server up to date."""

    command: Callable[[str, int], list[str]]
    """What to type for what is served on which port."""
    django: bool = False
    """Whether it starts a site of Django's rather than uvicorn."""
    past: bool = False
    """Whether it starts differently once the program was started before."""
    by_hand: bool = False
    """Whether nothing watches: the server is ended and started again at each save."""


def _uvicorn(application: str, port: int) -> list[str]:
    return ["uvicorn", application, "--port", str(port)]


def _runserver(port: int) -> list[str]:
    return ["manage.py", "runserver", f"127.0.0.1:{port}"]


TOOLS = {
    "hr run uvicorn": Tool(lambda application, port: ["hr", "run", *_uvicorn(application, port)], past=True),
    "hr run --no-checkpoints uvicorn": Tool(
        lambda application, port: ["hr", "run", "--no-checkpoints", *_uvicorn(application, port)], past=True
    ),
    "uvicorn-hmr": Tool(
        lambda application, port: ["uvicorn-hmr", application, "--host", "127.0.0.1", "--port", str(port)]
    ),
    "uvicorn, ended and started by hand": Tool(_uvicorn, by_hand=True),
    "uvicorn --reload": Tool(lambda application, port: [*_uvicorn(application, port), "--reload"]),
    "watchfiles": Tool(lambda application, port: ["watchfiles", " ".join(_uvicorn(application, port))]),
    "hupper": Tool(lambda application, port: ["hupper", "-m", *_uvicorn(application, port)]),
    "hr run manage.py runserver": Tool(lambda _, port: ["hr", "run", *_runserver(port)], django=True, past=True),
    "hr run --no-checkpoints manage.py runserver": Tool(
        lambda _, port: ["hr", "run", "--no-checkpoints", *_runserver(port)], django=True, past=True
    ),
    "manage.py runserver": Tool(lambda _, port: ["python", *_runserver(port)], django=True),
}
