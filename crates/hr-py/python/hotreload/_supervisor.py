"""Finding and starting the program that owns template and runs."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hotreload import _native
from hotreload._effects import variables
from hotreload._errors import HotreloadError
from hotreload._events import BuildEvent


def start() -> _native.Supervisor:
    """Start a supervisor that ends when this process does."""
    return _native.Supervisor.start(find_program())


def find_program() -> str:
    """The ``hr`` that was installed with this package."""
    looked = []
    for directory in _script_directories():
        program = os.path.join(directory, "hr")
        if os.access(program, os.X_OK):
            return program
        looked.append(directory)
    raise HotreloadError(
        f"the program 'hr' of hotreload was not found in {', '.join(looked)} "
        "(hint: install hotreload again: pip install --force-reinstall hotreload)"
    )


def _script_directories() -> Iterator[str]:
    yield sysconfig.get_path("scripts")
    yield os.path.dirname(sys.executable)  # `python -S` does not know of its virtual environment
    # `pip install --user` and `--target`.
    yield sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user"))
    yield os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "bin")


@dataclass(frozen=True)
class Wishes:
    """What a template is to be like, beside what the project asks of it."""

    ignored_modules: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()
    import_limit: float | None = None
    spares: int | None = None
    checkpoints: int | None = None
    on_event: Callable[[BuildEvent], object] | None = None


def open_project(supervisor: _native.Supervisor, target: str, is_path: bool, wishes: Wishes) -> _native.State:
    """Have ``supervisor`` scan a project and build its template, with an interpreter like this one."""
    return supervisor.open(
        target,
        is_path,
        list(wishes.ignored_modules),
        list(wishes.preload),
        wishes.import_limit,
        sys.executable,
        subprocess._args_from_interpreter_flags(),  # type: ignore[attr-defined]
        sys.version_info[:2],
        sys.platform,
        sys.argv,
        absolute_sys_path(),
        sorted(sys.stdlib_module_names),
        list(sys.builtin_module_names),
        variables(),
        os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
        wishes.spares,
        wishes.checkpoints,
        wishes.on_event,
    )


def absolute_sys_path() -> list[str]:
    """``sys.path`` as it means the same to a process with another working directory."""
    return [os.path.abspath(entry) for entry in sys.path if isinstance(entry, str)]
