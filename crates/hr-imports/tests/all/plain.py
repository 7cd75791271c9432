#!/usr/bin/env python
# A bit of everything that the fast path knows.
"""Docstring."""
from __future__ import annotations

import os, sys as system
import a.b.c as abc, d . e
from typing import TYPE_CHECKING as TC, Any
from . import (near,
               nearer as nr,  # comment

               )
from ...far.away import *
from .x \
    import y

if TC:
    from typed import T
elif system.platform == "win32":
    import winonly
else:
    import other
if sys.version_info >= (3, 8) and not TC: import new; import newer
while False:
    import never
else:
    import always

try:
    import fast
except (ImportError, os.error) as error:
    fast = None
except Exception:
    raise RuntimeError("x") from None
else:
    import followed
finally:
    import last

CONSTANTS = 0, 1_000, 0o17, 0b1, "\U0001F600\u00e9", 1.5, 2j, 0xFF, 1e-9, .5, 5., ...
TEXT = 'a' "b" r"\d" u'é' f"{TEXT} {a.b[0]!r:>{width}} {{}} {f(x, y=1)} {'q' or ''}" """
import nothing
""" f'''{x:%Y-%m-%d}'''
BYTES = b'\x00' rb"\x" B'z'
x: int = 5
y.z: list[int]
x += 1; y.z //= 2; z[0] **= 3
a, *b = c = (d, [e, f]) = [1, 2, 3]
(a), [b] = 1, 2
a = b if c else d
a = lambda x, *args, y=1, **kw: (yield)
b = [x for x, (y, z) in c if x if y]
c = {**a, "k": v, 'l': [1][0:1, ::2, ...]}
d = {1, 2, *a}
e = {k: v for k, v in a.items() if not k}
f = sum(x for x in y) + f(*a, b=1, **c)
g = (n := 10) > 5 and a is not b or c not in d
h = -a ** -b @ c // d % e << 1 >> 2 & 3 | 4 ^ ~5
del a, b.c, d[0]
assert a, "message"
global g, h
print(a, file=b)


@decorator
@other.decorator(1, key=2)
class C(Base, metaclass=M):
    """Doc."""
    attribute = 1

    def method(self, a, /, b: int = 1, *args: Any, c, d=2, **kwargs) -> "C":
        "doc"
        import lazy
        from . import z
        return self.x(a)[b].c

    async def coroutine(self):
        async with a as b, c as (d, e):
            await b
        async for x in y:
            yield x
        else:
            pass
        return

def generator(*, key):
    nonlocal x
    for i, *j in a, b:
        if i: continue
        break
    x = yield
    y = yield from z
    raise
    return 1, *a

for x in range(3): print(x)
if a == 1 \
        and b:
    def g(): import inner
    with open(f) as h: pass
"""Not the last"""; x = 1

import importlib, os
from importlib import import_module

def plugins(kind):
    match kind:
        case "a" | b.c | None:
            import inner
        case [x, *rest] if rest:
            pass
        case Point(1, y=(0 | 1) as z) | {"k": _, "l": [a, b]}:
            return import_module("." + x, __package__)
        case _:
            os.environ["KIND"] = "other"
    match = 1
    match(match)
    return importlib.import_module("plugins.b"), lambda: import_module(".c", __package__)

try:
    __import__("maybe"); from . import w
except ImportError:
    os.environ.setdefault("MAYBE", "no")
    loaded = [__import__("one", fromlist=["two"]),
              __import__("three")]
if TYPE_CHECKING:
    os.putenv("K", "v")
text = f"""{
    d["k"]} {a == b} {a, b} {f'{x!r}'}""" '\U0010FFFF'
