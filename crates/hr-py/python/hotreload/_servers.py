"""Servers that import the application where no checkpoint can lie: in a running event loop, or in workers.

What would be imported in a loop is imported right before that runs. For those with workers, people are told what would
help. Nothing else about them is changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hotreload import _native
from hotreload._reloaders import replace_when_loaded

IN_WORKERS = "gunicorn imports the application in its workers; with --preload it would do so before"


def look_after(import_early: Callable[[str], None], give_up: Callable[[str], None]) -> None:
    """Let ``import_early`` have the name of each application's module right before its server runs.

    ``give_up`` is told why nothing can be done.
    """

    def uvicorn(module: Any) -> None:
        def about_to_run(server: Any, *_: object, **__: object) -> None:
            application = server.config.app
            if isinstance(application, str) and not server.config.loaded:
                import_early(application.partition(":")[0])

        module.Server.run = _native.Before(vars(module.Server)["run"], about_to_run)

    def gunicorn(module: Any) -> None:
        def about_to_start(arbiter: Any) -> None:
            if not arbiter.cfg.preload_app:
                give_up(IN_WORKERS)

        module.Arbiter.start = _native.Before(vars(module.Arbiter)["start"], about_to_start)

    replace_when_loaded({"gunicorn.arbiter": gunicorn, "uvicorn.server": uvicorn})
