"""What the finders of modules remember of directories, and when they must look again.

A finder lists its directory again when the directory's time has changed. That tells nothing of a file added within the
same tick of the clock, nor of a directory that did not exist.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from types import ModuleType, SimpleNamespace

LISTED_LATELY = 600.0
"""Seconds for which a directory that was modified is looked at again. Longer than any template takes to build."""

_METADATA = "importlib.metadata"

_nothing_cached = ModuleType(_METADATA)
_nothing_cached.MetadataPathFinder = SimpleNamespace(invalidate_caches=lambda: None)  # type: ignore[attr-defined]


def forget_what_may_be_out_of_date(is_first_party: Callable[[str], bool]) -> None:
    """Let a template's runs look anew where its listings may be out of date without its showing.

    Done once, in the template, it costs runs nothing.
    """
    recent = time.time() - LISTED_LATELY
    for path, finder in list(sys.path_importer_cache.items()):
        if finder is None or is_first_party(path):
            del sys.path_importer_cache[path]
        elif getattr(finder, "_path_mtime", recent) >= recent and hasattr(finder, "invalidate_caches"):
            finder.invalidate_caches()


def forget_everything() -> None:
    """Look anew everywhere, after any time."""
    if _METADATA in sys.modules:
        importlib.invalidate_caches()
        return
    # CPython from 3.13 on would import 40 modules that the program has not asked for, to empty a cache that is none.
    sys.modules[_METADATA] = _nothing_cached
    try:
        importlib.invalidate_caches()
    finally:
        del sys.modules[_METADATA]
