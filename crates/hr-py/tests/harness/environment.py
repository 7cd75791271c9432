"""A clean virtual environment with the wheel under test in it, one for each test that needs its own."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY = Path(__file__).parents[4]
FIXTURES = REPOSITORY / "fixtures"

INSTALLED = ("hotreload", "cloudpickle")
"""The distributions under test: the wheel and its only dependency."""

PYTEST = (
    *("pytest", "pluggy", "iniconfig", "packaging", "pygments"),
    *(("exceptiongroup", "tomli", "typing_extensions") if sys.version_info < (3, 11) else ()),
)
"""pytest and what it needs."""


class VirtualEnvironment:
    """A virtual environment without pip, holding what `pip install hotreload` leaves, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.EnvBuilder(symlinks=True, with_pip=False).create(folder)
        self.python = folder / "bin" / "python"
        minor = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self.site_packages = folder / "lib" / minor / "site-packages"
        for name in INSTALLED:
            self._copy_distribution(name)

    def install_external_package(self) -> Path:
        """Copy the library whose import takes a visible time; returns the folder that a test may change."""
        source = FIXTURES / "external-package" / "src" / "external_package"
        return self.install_package(source)

    def install_files(self, files: Mapping[str, str]) -> None:
        """Write modules into site-packages, given by their paths below it."""
        for name, text in files.items():
            path = self.site_packages / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def install_package(self, source: Path) -> Path:
        """Copy a package's folder into site-packages."""
        destination = self.site_packages / source.name
        shutil.copytree(source, destination, ignore=shutil.ignore_patterns("__pycache__"))
        return destination

    def link(self, *names: str) -> None:
        """Let distributions that are installed beside the tests be found here as well: copying them would take long."""
        for name in names:
            distribution = importlib.metadata.distribution(name)
            tops = {Path(str(file)).parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}
            for top in tops:
                link = self.site_packages / top
                if not link.exists():
                    link.symlink_to(str(distribution.locate_file(top)))

    def link_programs(self, *names: str) -> None:
        """Link distributions with all that they need, and write their commands as an installer does."""
        waiting, linked = list(names), set[str]()
        while waiting:
            name = canonicalize_name(waiting.pop())
            if name in linked:
                continue
            linked.add(name)
            self.link(name)
            distribution = importlib.metadata.distribution(name)
            needed = map(Requirement, distribution.requires or ())
            waiting += [each.name for each in needed if each.marker is None or each.marker.evaluate({"extra": ""})]
            for command in distribution.entry_points.select(group="console_scripts"):
                self._write_command(command)

    def _write_command(self, command: importlib.metadata.EntryPoint) -> None:
        first, _, _ = command.attr.partition(".")
        script = self.python.with_name(command.name)
        script.write_text(
            f"#!{self.python}\nimport sys\nfrom {command.module} import {first}\n"
            f"if __name__ == '__main__':\n    sys.exit({command.attr}())\n"
        )
        script.chmod(0o755)

    def _copy_distribution(self, name: str) -> None:
        """Copy an installed distribution file by file, programs beside the interpreter included."""
        distribution = importlib.metadata.distribution(name)
        for file in distribution.files or ():
            source = Path(str(distribution.locate_file(file)))
            if not source.exists() or source.suffix == ".pyc":
                continue
            destination = Path(os.path.normpath(self.site_packages / file))
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, destination)
