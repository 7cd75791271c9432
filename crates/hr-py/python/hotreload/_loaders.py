"""Being told of each module right before it is executed, whichever loader does that.

Nearly all loaders of source and bytecode have the method that executes modules from one class of CPython's. Some import
hooks have one of their own, as pytest's has, which rewrites the assertions of tests.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
from collections.abc import Callable
from importlib import _bootstrap
from types import FunctionType
from typing import Any

from hotreload import _native

STANDARD = ("_frozen_importlib", "_frozen_importlib_external", "zipimport")
"""The modules of the interpreter's own loaders."""

_BASICS: Any = importlib.machinery.SourceFileLoader.__mro__[-2]
"""``_LoaderBasics``, the class with that method."""


def is_standard(loader: object) -> bool:
    """Whether a loader is the interpreter's own. What an import hook has made of a module, nobody else would."""
    kind = loader if isinstance(loader, type) else type(loader)
    return kind.__module__ in STANDARD


class Loaders:
    """Those of a program. Their classes and frames stay what they are; only one method of each is another."""

    def __init__(
        self,
        before: Callable[..., BaseException | None],
        failed: Callable[..., None],
        is_first_party: Callable[[str], bool],
    ) -> None:
        """``before`` is called with a loader and a module, and ``failed`` with an exception and its traceback first.

        An exception that ``before`` returns is raised in place of executing the module.
        """
        self._listeners = before, failed
        self._is_first_party = is_first_party
        self._methods: dict[Any, Any] = {}
        self._module_from_spec: Any = None

    def listen(self) -> None:
        """Tell from now on."""
        self._listen_to(_BASICS)
        # Whoever executes a module has asked for one that is still empty before, and it says by whom it will be filled.
        self._module_from_spec = _bootstrap.module_from_spec
        instead = _native.Before(self._module_from_spec, self._about_to_load, undisturbed=True)
        _bootstrap.module_from_spec = importlib.util.module_from_spec = instead

    def rest(self) -> None:
        """Tell no longer, and leave everything as it was."""
        if self._module_from_spec is not None:
            _bootstrap.module_from_spec = importlib.util.module_from_spec = self._module_from_spec
            self._module_from_spec = None
        for kind, method in self._methods.items():
            kind.exec_module = method
        self._methods.clear()

    def _about_to_load(self, spec: Any, *_: object, **__: object) -> None:
        # Whatever is wrong with it, the program is told so in a moment.
        with contextlib.suppress(Exception):
            if not is_standard(spec.loader) and self._is_first_party(spec.origin):
                kind = next(kind for kind in type(spec.loader).__mro__ if "exec_module" in vars(kind))
                if kind not in self._methods and isinstance(vars(kind)["exec_module"], FunctionType):
                    self._listen_to(kind)

    def _listen_to(self, kind: Any) -> None:
        self._methods[kind] = vars(kind)["exec_module"]
        kind.exec_module = _native.Before(self._methods[kind], *self._listeners, undisturbed=True)
