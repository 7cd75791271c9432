"""Servers that import the application themselves, in a running event loop, where no checkpoint can lie.

What they are about to import is imported right before the loop runs. Nothing else about them is changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hotreload import _native
from hotreload._reloaders import replace_when_loaded


def import_early(importer: Callable[[str], None]) -> None:
    """Let ``importer`` have the name of each application's module right before its server runs."""

    def uvicorn(module: Any) -> None:
        def about_to_run(server: Any, *_: object, **__: object) -> None:
            application = server.config.app
            if isinstance(application, str) and not server.config.loaded:
                importer(application.partition(":")[0])

        module.Server.run = _native.Before(vars(module.Server)["run"], about_to_run)

    replace_when_loaded({"uvicorn.server": uvicorn})
