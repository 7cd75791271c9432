"""What there is to know of a site that is edited."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from equivalence import grown
from equivalence.servers import Place
from equivalence.tree import Constant, State, Variation

TABLE = "[tool.hotreload]"
"""Of `pyproject.toml`."""

FIXTURES = Path(__file__).parents[2] / "fixtures"


@dataclass(frozen=True)
class Project:
    """A site, how it is started, what it is asked, and where it is edited."""

    fixture: str
    packages: tuple[str, ...]
    """Its own."""
    route: Callable[[Path], None]
    """Adds the address `/journal` to it."""
    warm: Callable[[int], list[str]]
    """What follows `hr run` to have it serve on a port."""
    cold: Callable[[Place, int], list[str | Path]]
    """What an interpreter is started with for the same."""
    ready: str
    """What it prints when it serves."""
    requests: tuple[str, ...]
    variations: tuple[Variation, ...]
    constants: tuple[Constant, ...]
    options: tuple[str, ...] = ()
    """Of `hr run`."""
    prepare: Callable[[Place], None] = lambda _: None
    """What is done once, before it is started."""
    log_in: Callable[[int], Mapping[str, str]] = lambda _: {}
    """Gives the cookies with which it is asked."""
    add_column: Callable[[State, str], None] | None = None
    """Adds a column to one of its models."""
    migrate: Callable[[Place], bool] = lambda _: True
    """Brings its database up to date, unless the site is broken."""

    def write(self, folder: Path) -> None:
        """Write it below a folder that does not exist yet. Its runs leave checkpoints whatever these cost."""
        ignored = shutil.ignore_patterns("__pycache__", "*.sqlite3*")
        shutil.copytree(FIXTURES / self.fixture, folder, ignore=ignored)
        for name, text in grown.files(self.packages).items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        settings = folder / "pyproject.toml"
        text = settings.read_text(encoding="utf-8")
        text += "" if TABLE in text else f"\n{TABLE}\n"
        settings.write_text(text.replace(TABLE, f"{TABLE}\ncheckpoint-overhead = 100_000"), encoding="utf-8")
        self.route(folder)
