"""A run that is a whole program: ``python FILE``, ``python -m MODULE``, or an entry point.

Whatever the program can see of itself is what it would see in an interpreter of its own, and so is its end.
"""

from __future__ import annotations

import builtins
import os
import sys
from importlib.machinery import BuiltinImporter, SourceFileLoader
from types import ModuleType

CANNOT_OPEN = 2
"""Exit code of an interpreter that cannot read the file it is to execute."""

_FROM_ENTRY_POINT = "import sys; from {module} import {name}; sys.exit({function}())"


def execute(kind: str, name: str, function: str | None) -> int | None:
    """Be the program until it ends. Returns the exit code of an interpreter that could not even begin."""
    if kind == "module":
        return _execute_module(name)
    if function is not None:
        return _execute_function(name, function)
    return _execute_file(name)


def install_main() -> ModuleType:
    """The ``__main__`` that an interpreter begins with."""
    main = ModuleType("__main__")
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    main.__dict__["__builtins__"] = builtins
    main.__loader__ = BuiltinImporter  # type: ignore[assignment]
    sys.modules["__main__"] = main
    return main


def _execute_module(name: str) -> None:
    sys.argv[0] = "-m"
    _search_first(os.getcwd())
    import runpy

    runpy._run_module_as_main(name)  # type: ignore[attr-defined]


def _execute_function(module: str, function: str) -> None:
    code = _FROM_ENTRY_POINT.format(module=module, name=function.partition(".")[0], function=function)
    exec(compile(code, "<string>", "exec", dont_inherit=True), vars(sys.modules["__main__"]))  # noqa: S102


def _execute_file(name: str) -> int | None:
    path = os.path.join(os.getcwd(), name.removeprefix("./"))
    if _is_searched(path):
        _search_first(path)
        import runpy

        runpy._run_module_as_main("__main__", False)  # type: ignore[attr-defined]
        return None
    _search_first(os.path.dirname(os.path.realpath(name)))
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        print(
            f"{sys.executable}: can't open file {path!r}: [Errno {error.errno}] {error.strerror}", file=sys.stderr
        )
        return CANNOT_OPEN
    main = sys.modules["__main__"]
    main.__file__ = path
    main.__dict__["__cached__"] = None
    main.__loader__ = SourceFileLoader("__main__", path)
    exec(compile(source, path, "exec", dont_inherit=True), vars(main))  # noqa: S102
    return None


def _is_searched(path: str) -> bool:
    """Whether modules can be found in ``path``: it is a directory or an archive."""
    for hook in sys.path_hooks:
        try:
            hook(path)
        except ImportError:
            continue
        return True
    return False


def _search_first(first: str) -> None:
    if not getattr(sys.flags, "safe_path", False) and sys.path[:1] != [first]:
        sys.path.insert(0, first)
