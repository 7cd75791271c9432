"""How a function is named or carried to the process that calls it."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections import ChainMap
from collections.abc import Callable
from functools import cache
from types import FunctionType, MethodType
from typing import Any, ClassVar

from hotreload._errors import UnpicklableError
from hotreload._payload import Payload, is_plain, pack, pack_plain


class FunctionReference:
    """A function by the names that lead to it, so that the code on disk is what runs."""

    __slots__ = ("module", "qualname")

    def __init__(self, module: str, qualname: str) -> None:
        self.module = module
        self.qualname = qualname

    def __reduce__(self) -> tuple[Any, ...]:
        return (FunctionReference, (self.module, self.qualname))

    def resolve(self) -> Any:
        """Import the module and look the function up."""
        found: Any = importlib.import_module(self.module)
        for attribute in self.qualname.split("."):
            found = getattr(found, attribute)
        return found


def refer(function: Callable[..., Any]) -> FunctionReference | None:
    """A reference to ``function``, or ``None`` if it can only travel by value.

    That the module's attribute is this very object is not asked for: after ``importlib.reload`` it is another one,
    and the code on disk is still what the caller means.
    """
    if not isinstance(function, FunctionType):
        return None  # pickle finds classes, builtins and bound methods by itself
    module, qualname = function.__module__, function.__qualname__
    if module in (None, "__main__", "__mp_main__") or "<" in qualname:
        return None
    found: Any = sys.modules.get(module)
    if getattr(found, "__spec__", None) is None:
        return None  # made at run time: nobody could import it
    for attribute in qualname.split("."):
        found = getattr(found, attribute, None)
    return FunctionReference(module, qualname) if callable(found) else None


@cache
def pickler() -> type[Any]:
    """The pickler of cloudpickle, short of one thing: it would turn an open file into what is in it."""
    import cloudpickle

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        dispatch_table: ClassVar[Any] = ChainMap(
            {io.TextIOWrapper: _reduce_stream, MethodType: _reduce_method}, cloudpickle.Pickler.dispatch_table
        )

        def reducer_override(self, value: Any) -> Any:
            if isinstance(value, BaseException):
                reduced = _reduce_exception(value)
                if reduced is not None:
                    return reduced
            return super().reducer_override(value)

    return Pickler


def _reduce_exception(error: BaseException) -> tuple[Any, ...] | None:
    """Carry an exception as what it is, where pickle would call its class with arguments it does not take.

    ``BaseException.__reduce__`` means ``type(error)(*error.args)``, and an exception's own ``__init__`` seldom passes
    on just what it was given. ``None`` leaves to pickle the builtin ones and those that say how they are pickled.
    """
    kind = type(error)
    builtin: Any = next(base for base in kind.__mro__ if base.__module__ == "builtins")
    own = any(getattr(kind, name) is not getattr(builtin, name) for name in ("__init__", "__new__"))
    if not own or any(getattr(kind, name) is not getattr(builtin, name) for name in ("__reduce__", "__reduce_ex__")):
        return None
    reduced = builtin.__reduce__(error)
    if not isinstance(reduced, tuple):
        return None
    state = reduced[2] if len(reduced) > 2 else None
    return (_restore_exception, (kind, builtin, reduced[1]), state)


def without_unpicklable_parts(error: BaseException) -> BaseException | None:
    """A copy of ``error`` that can be pickled: attributes that cannot are left out, arguments that cannot become text.

    ``None`` if its class cannot be pickled, or does not want to be made without its constructor.
    """
    try:
        kind = type(error)
        builtin: Any = next(base for base in kind.__mro__ if base.__module__ == "builtins")
        copy = _restore_exception(kind, builtin, tuple(arg if _travels(arg) else repr(arg) for arg in error.args))
        copy.__dict__.update({name: value for name, value in error.__dict__.items() if _travels(value)})
    except Exception:
        return None
    return copy if _travels(copy) else None


def _travels(value: object) -> bool:
    return _unpicklable(("", value)) is None


def _restore_exception(kind: type[BaseException], builtin: type[BaseException], args: tuple[Any, ...]) -> BaseException:
    error = builtin.__new__(kind, *args)
    builtin.__init__(error, *args)
    return error


def _reduce_method(method: MethodType) -> tuple[Any, ...]:
    """A method by its name, so that the code on disk is what runs; by value only if the name does not lead to it."""
    owner, name = method.__self__, method.__func__.__name__
    if getattr(owner, name, None) == method:
        return (getattr, (owner, name))
    return (MethodType, (method.__func__, owner))


def _reduce_stream(stream: io.TextIOWrapper) -> tuple[Any, ...]:
    for name in ("stdin", "stdout", "stderr"):
        if stream is getattr(sys, name):
            return (getattr, (sys, name))
    raise TypeError(f"cannot pickle {type(stream).__name__!r} object")


def pack_call(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Payload, str | None]:
    """Pickle a call; what cannot be pickled raises :class:`UnpicklableError` with the argument and its type.

    Returns the module, too, that the function is to be imported from, if it travels by reference.
    """
    reference = refer(function)
    module = None if reference is None else reference.module
    try:
        if reference is not None and is_plain(args) and is_plain(kwargs.values()):
            return pack_plain((reference, args, kwargs)), module
        return pack((reference or function, args, kwargs), pickler()), module
    except Exception as error:
        values = [("the function", function)]
        values += [(f"argument {index}", value) for index, value in enumerate(args, 1)]
        values += [(f"argument {name!r}", value) for name, value in kwargs.items()]
        culprit = next((label for label in map(_unpicklable, values) if label), "the call")
        raise UnpicklableError(f"{culprit} cannot be sent to a run: {error}") from error


def _unpicklable(labelled: tuple[str, Any]) -> str | None:
    label, value = labelled
    try:
        payload = pack(value, pickler())
    except Exception:
        return f"{label}, of type {type_name(value)},"
    if payload.descriptor is not None:
        os.close(payload.descriptor)
    return None


def type_name(value: object) -> str:
    """The name of a value's type, qualified by its module unless that is ``builtins``."""
    kind = type(value)
    if kind.__module__ in ("builtins", "__main__"):
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"
