"""Servers that import the application where no checkpoint can lie: in a running event loop, or in workers.

What would be imported in a loop is imported right before that runs. For those with workers, people are told what would
help. Nothing else about them is changed.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any

from hotreload import _native
from hotreload._reloaders import replace_when_loaded

IN_WORKERS = "gunicorn imports the application in its workers; with --preload it would do so before"
IN_SPAWNED = "hypercorn imports the application in workers that begin from nothing; with --workers 0 it has none"
IN_FORKED = "granian imports the application in its workers, and has no option to do so before"


def look_after(import_early: Callable[[str], None], give_up: Callable[[str], None], entry: str | None = None) -> None:
    """Let ``import_early`` have the name of each application's module right before its server runs.

    ``give_up`` is told why nothing can be done. ``entry`` is what a server imports that is not known here.
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

    def hypercorn(module: Any) -> None:
        def about_to_listen(config: Any) -> None:
            path = config.application_path.removeprefix("asgi:").removeprefix("wsgi:")
            if config.workers:
                give_up(IN_SPAWNED)
            elif path:
                # It looks for the module, or the file, from here, and adds that to the path when it does.
                place, name = os.path.split(os.path.realpath(path.partition(":")[0]))
                sys.path.insert(0, place)
                try:
                    import_early(name.removesuffix(".py"))
                finally:
                    with contextlib.suppress(ValueError):
                        sys.path.remove(place)

        module.Config.create_sockets = _native.Before(vars(module.Config)["create_sockets"], about_to_listen)

    def granian(module: Any) -> None:
        def about_to_serve(*_: object, **__: object) -> None:
            give_up(IN_FORKED)

        module.AbstractServer.serve = _native.Before(vars(module.AbstractServer)["serve"], about_to_serve)

    def about_to_make_loop(*_: object, **__: object) -> None:
        """A loop opens sockets of its own as soon as it is made."""
        if entry is not None:
            import_early(entry)

    def asyncio(module: Any) -> None:
        module.BaseEventLoop.__init__ = _native.Before(module.BaseEventLoop.__init__, about_to_make_loop)

    def uvloop(module: Any) -> None:
        # Its sockets are there before `__init__` is called.
        module.Loop.__new__ = _native.Before(module.Loop.__new__, about_to_make_loop, is_static=True)

    known: dict[str, Callable[[Any], None]] = {
        "granian.server.common": granian,
        "gunicorn.arbiter": gunicorn,
        "hypercorn.config": hypercorn,
        "uvicorn.server": uvicorn,
    }
    if entry is not None:
        known |= {"asyncio.base_events": asyncio, "uvloop": uvloop}
    replace_when_loaded(known)
