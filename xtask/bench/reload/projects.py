"""The projects whose edits are measured. Each answers three constants, which lie in three of its files."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import generate

REALAPP = Path(__file__).parents[3] / "fixtures" / "realapp"

SMALL = '''\
"""A small application."""

from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import create_engine

MAIN = 100000

application = FastAPI()
engine = create_engine("sqlite://")


class Constants(BaseModel):
    route: int


@application.get("/constants")
async def constants() -> Constants:
    return Constants(route=MAIN)
'''


@dataclass(frozen=True)
class Constant:
    """A number that is edited."""

    file: str
    name: str


@dataclass(frozen=True)
class Project:
    """A program that serves HTTP, and where to edit it."""

    write: Callable[[Path], None]
    """Writes it below a folder that does not exist yet."""
    application: str
    """What uvicorn is to serve; empty if the project is a site of Django's, started through its `manage.py`."""
    constants: dict[str, Constant]
    """By the name under which ``/constants`` answers them.

    ``leaf`` lies in a module that is imported late, ``deep`` in one that is imported early and by all that follow, and
    ``route`` in the one with the route.
    """
    has_positions: bool = False
    """Whether there are others at some percent of the order in which its modules are executed."""

    def constants_in(self, folder: Path) -> dict[str, Constant]:
        """All of them, in the project that was written there."""
        found = generate.positions(folder) if self.has_positions else {}
        positions = {share: Constant(f"{module.replace('.', '/')}.py", name) for share, (module, name) in found.items()}
        return self.constants | positions


def _realapp(folder: Path) -> None:
    shutil.copytree(REALAPP, folder, ignore=shutil.ignore_patterns("__pycache__"))


def _small(folder: Path) -> None:
    folder.mkdir()
    (folder / "main.py").write_text(SMALL)


def _large(folder: Path) -> None:
    folder.mkdir()
    generate.write(folder)


def _huge(folder: Path) -> None:
    folder.mkdir()
    generate.write(folder, 10)


_LEAF = Constant("realapp/site/pages.py", "EDITION")
_DEEP = Constant("realapp/settings.py", "REVISION")

_GENERATED = {
    "leaf": Constant("shop/api/voucher.py", "API_VOUCHER"),
    "route": Constant("shop/main.py", "MAIN"),
    "deep": Constant("shop/core/voucher.py", "CORE_VOUCHER"),
}

PROJECTS = {
    "small": Project(_small, "main:application", {"route": Constant("main.py", "MAIN")}),
    "realapp": Project(
        _realapp,
        "realapp.web.api:api",
        {"leaf": _LEAF, "route": Constant("realapp/web/api.py", "VERSION"), "deep": _DEEP},
    ),
    "django": Project(
        _realapp, "", {"leaf": _LEAF, "route": Constant("realapp/site/urls.py", "VERSION"), "deep": _DEEP}
    ),
    "large": Project(_large, "shop.main:application", _GENERATED, has_positions=True),
    "huge": Project(_huge, "shop.main:application", _GENERATED, has_positions=True),
}
