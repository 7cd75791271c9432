"""What happens while a template is built, for programs: see ``on_event`` of :func:`hotreload.isolate_imports`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class ImportStarted:
    """The import of a module begins. It may begin again, if a module after it has to be undone."""

    module: str
    index: int
    """The how manieth of the plan it is, from 1."""
    total: int
    """How many modules the plan has."""


@dataclass(frozen=True)
class ImportContinues:
    """An import takes long. Comes after 1, 2, 4, 8, … seconds."""

    module: str
    seconds: float
    """For how long it has been imported."""
    limit: float
    """For how long it may be, in seconds, before it is given up."""


@dataclass(frozen=True)
class ModuleImported:
    """A module is imported. Comes once for each."""

    module: str
    index: int
    total: int
    seconds: float
    """How long that took, with all that the module has imported itself."""
    effects: tuple[str, ...]
    """What it did beyond loading modules, in words; only a module that is preloaded on request may."""


@dataclass(frozen=True)
class ModuleExcluded:
    """A module will not be in the template."""

    module: str
    index: int
    total: int
    cause: str


@dataclass(frozen=True)
class TemplateReady:
    """The template stands."""

    imported: int
    """How many modules were imported."""
    excluded: int
    """How many were left out."""
    seconds: float
    """How long all of it took."""
    slowest: tuple[tuple[str, float], ...]
    """The modules that took longest, and how many seconds each, the slowest first."""


BuildEvent: TypeAlias = ImportStarted | ImportContinues | ModuleImported | ModuleExcluded | TemplateReady
"""Any of them."""
