"""The projects whose edits are measured. Each answers constants, which lie in several of its files."""

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
    answer: str
    """The name under which ``/constants`` answers it."""


@dataclass(frozen=True)
class Project:
    """A program that serves HTTP, and where to edit it."""

    write: Callable[[Path], None]
    """Writes it below a folder that does not exist yet."""
    application: str
    """What uvicorn is to serve; empty if the project is a site of Django's, started through its `manage.py`."""
    constants: dict[str, Constant]
    """By their places.

    ``leaf`` lies in a module that is imported late, ``deep`` in one that is imported early and by all that follow, and
    ``route`` in the one with the route.
    """
    is_generated: bool = False
    """Whether there are others at some percent of the order in which its modules are executed, to be found there."""

    def constants_in(self, folder: Path) -> dict[str, Constant]:
        """All of them, in the project that was written there."""
        found = generate.positions(folder) if self.is_generated else {}
        files = {share: f"{module.replace('.', '/')}.py" for share, (module, _) in found.items()}
        return self.constants | {share: Constant(files[share], name, share) for share, (_, name) in found.items()}


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


def _of_realapp(route: Constant) -> dict[str, Constant]:
    """17 modules are executed: the one with the route is the 3rd, the settings are the 9th, and the client the 16th."""
    leaf = Constant("realapp/site/pages.py", "EDITION", "leaf")
    deep = Constant("realapp/settings.py", "REVISION", "deep")
    late = Constant("realapp/web/client.py", "TIMEOUT", "late")
    return {"leaf": leaf, "route": route, "deep": deep, "10%": route, "50%": deep, "90%": late}


_GENERATED = {
    "leaf": Constant("shop/api/voucher.py", "API_VOUCHER", "leaf"),
    "route": Constant("shop/main.py", "MAIN", "route"),
    "deep": Constant("shop/core/voucher.py", "CORE_VOUCHER", "deep"),
}

PROJECTS = {
    "small": Project(_small, "main:application", {"route": Constant("main.py", "MAIN", "route")}),
    "realapp": Project(
        _realapp,
        "realapp.web.api:api",
        _of_realapp(Constant("realapp/web/api.py", "VERSION", "route")),
    ),
    "django": Project(_realapp, "", _of_realapp(Constant("realapp/site/urls.py", "VERSION", "route"))),
    "large": Project(_large, "shop.main:application", _GENERATED, is_generated=True),
    "huge": Project(_huge, "shop.main:application", _GENERATED, is_generated=True),
}
