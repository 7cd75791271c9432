"""Reloaders that a program starts by itself: ``app.run(debug=True)``, ``uvicorn.run(..., reload=True)`` and the like.

A program that is started again when its files change has no use for another that does the same, in processes of its own
and from nothing. In each library one function or property decides whether its reloader is started; that one is replaced
when its module is there, and nothing else is touched.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, TypeAlias

Notice: TypeAlias = Callable[[str], None]
"""Takes the name of a library whose reloader would have been started."""


def _werkzeug(module: Any, notice: Notice) -> None:
    def run_with_reloader(main_func: Callable[[], None], *_args: Any, **_options: Any) -> None:
        notice("Flask")
        module.ensure_echo_on()
        main_func()

    module.run_with_reloader = run_with_reloader


def _django(module: Any, notice: Notice) -> None:
    def run_with_reloader(main_func: Callable[..., None], *args: Any, **options: Any) -> None:
        notice("Django")
        main_func(*args, **options)

    module.run_with_reloader = run_with_reloader


def _uvicorn(module: Any, notice: Notice) -> None:
    original = module.Config.should_reload.fget

    def should_reload(config: Any) -> bool:
        if original(config):
            notice("uvicorn")
        return False

    module.Config.should_reload = property(should_reload)


def _granian(module: Any, notice: Notice) -> None:
    def serve_with_reloader(server: Any, *args: Any) -> None:
        notice("granian")
        server._serve(*args)

    module.AbstractServer._serve_with_reloader = serve_with_reloader


def _hypercorn(module: Any, notice: Notice) -> None:
    original = module.run

    @functools.wraps(original)
    def run(config: Any) -> Any:
        if config.use_reloader:
            notice("hypercorn")
            config.use_reloader = False
        return original(config)

    module.run = run


def _quart(module: Any, notice: Notice) -> None:
    original = module.Quart.run
    signature = inspect.signature(original)

    @functools.wraps(original)
    def run(*args: Any, **options: Any) -> Any:
        call = signature.bind(*args, **options)
        call.apply_defaults()
        if call.arguments["use_reloader"]:
            notice("Quart")
            call.arguments["use_reloader"] = False
        return original(*call.args, **call.kwargs)

    module.Quart.run = run


def _sanic(module: Any, notice: Notice) -> None:
    original = module.StartupMixin.should_auto_reload.__func__

    def should_auto_reload(kind: Any) -> bool:
        if original(kind):
            notice("Sanic")
        return False

    module.StartupMixin.should_auto_reload = classmethod(should_auto_reload)


_KNOWN: dict[str, Callable[[Any, Notice], None]] = {
    "django.utils.autoreload": _django,
    "granian.server.common": _granian,
    "hypercorn.run": _hypercorn,
    "quart.app": _quart,
    "sanic.mixins.startup": _sanic,
    "uvicorn.config": _uvicorn,
    "werkzeug._reloader": _werkzeug,
}


def switch_off(notice: Notice) -> None:
    """Let no reloader be started from now on. ``notice`` is told once of each that would have been."""
    told: set[str] = set()

    def notice_once(library: str) -> None:
        if library not in told:
            told.add(library)
            notice(library)

    def replacing(replace: Callable[[Any, Notice], None]) -> Callable[[Any], None]:
        return lambda module: replace(module, notice_once)

    replace_when_loaded({name: replacing(replace) for name, replace in _KNOWN.items()})


def replace_when_loaded(replacements: Mapping[str, Callable[[Any], None]]) -> None:
    """Call each of ``replacements`` with the module of that name, as soon as it is loaded."""
    awaited = {}
    for name, replace in replacements.items():
        module = sys.modules.get(name)
        if module is None:
            awaited[name] = functools.partial(_replace, replace)
        else:
            _replace(replace, module)
    sys.meta_path.insert(0, _Awaited(awaited))  # type: ignore[arg-type]


def _replace(replace: Callable[[Any], None], module: ModuleType) -> None:
    try:
        replace(module)
    except (AttributeError, KeyError, ValueError, TypeError):
        return  # another version, which has it elsewhere


class _Awaited:
    """A finder that finds nothing itself: it does something when certain modules have been loaded."""

    def __init__(self, modules: dict[str, Callable[[ModuleType], None]]) -> None:
        self._modules = modules

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What the finders behind this one find, and a loader that tells when it is done."""
        if fullname not in self._modules:
            return None
        then = self._modules.pop(fullname)
        for finder in sys.meta_path:
            find_spec = getattr(finder, "find_spec", None)
            if finder is self or find_spec is None:
                continue
            spec: ModuleSpec | None = find_spec(fullname, path, target)
            if spec is not None:
                _after_loading(spec, then)
                return spec
        return None


def _after_loading(spec: ModuleSpec, then: Callable[[ModuleType], None]) -> None:
    loader: Any = spec.loader
    execute = getattr(loader, "exec_module", None)
    if execute is None:
        return

    def exec_module(module: ModuleType) -> None:
        del loader.exec_module  # what anybody finds there afterwards is the loader's own
        execute(module)
        then(module)

    loader.exec_module = exec_module
