"""Modules that come, change and go beside a site's own, and write down that they are executed.

`grown/journal.py` tells what was executed, and what it left: of this, too, a restart must come to what a cold start
comes to.
"""

import random

JOURNAL = '''\
"""What was executed, in which order, and what came of it."""

import os
import sys

EXECUTED: list[object] = []
REGISTRY: dict[str, object] = {{}}


def state() -> dict[str, object]:
    modules = [name for name in sys.modules if name.partition(".")[0] in {packages!r}]
    return {{
        "executed": EXECUTED,
        "registry": REGISTRY,
        "modules": modules,
        "environment": {{name: value for name, value in os.environ.items() if name.startswith("GROWN_")}},
        "directory": os.getcwd(),
        "path": sys.path,
        "arguments": len(sys.argv),
        "recursion": sys.getrecursionlimit(),
    }}
'''

EFFECTS = (
    "REGISTRY['{name}'] = {version}\n",
    "REGISTRY.setdefault('list', []).append('{name} {version}')\n",
    "print('printed by {name} {version}', flush=True)\n",
    "EXECUTED.append('data ' + open('grown/one.txt').read())\n",
    "import pathlib\nEXECUTED.append('data ' + (pathlib.Path(__file__).parent / 'two.txt').read_text())\n",
    "import os\nEXECUTED.append(sorted(name for name in os.listdir('grown') if name.endswith('.txt')))\n",
    "import os\nos.environ['GROWN_{version}'] = '{name}'\n",
    "import sys\nEXECUTED.append(['grown.{other}' in sys.modules, len(EXECUTED)])\n",
    "import grown\ngrown.patched = '{name}'\nEXECUTED.append(sorted(vars(grown).keys() - {{'__builtins__'}}))\n",
    "import importlib.util\nEXECUTED.append(importlib.util.find_spec('grown.{other}') is not None)\n",
    "import random\nrandom.seed({version})\nEXECUTED.append(random.random())\n",
    "import sys\nsys.setrecursionlimit(2000 + {version})\n",
    "import sys, types\nclass Replaced(types.ModuleType):\n    VALUE = 'replaced {version}'\n"
    "sys.modules[__name__].__class__ = Replaced\n",
    "import logging\nlogging.getLogger('grown').setLevel({version})\n",
    "try:\n    import not_there_{version}\nexcept ImportError:\n    EXECUTED.append('absent')\n",
    "import pkgutil, grown\nEXECUTED.append([found.name for found in pkgutil.iter_modules(grown.__path__)])\n",
)
"""What a module does beside being executed."""

DATA = ("grown/one.txt", "grown/two.txt")


def files(packages: tuple[str, ...]) -> dict[str, str]:
    """What there is of it in any case, for a site with such packages of its own."""
    return {
        "grown/__init__.py": "",
        "grown/journal.py": JOURNAL.format(packages=[*packages, "grown"]),
        "grown/one.txt": "1",
        "grown/two.txt": "2",
    }


def module(choose: random.Random, name: str, version: int, others: list[str]) -> str:
    """The text of a module that may import others of its kind."""
    lines = ["from grown.journal import EXECUTED, REGISTRY\n", f"EXECUTED.append('{name} version {version}')\n"]
    others = [other for other in others if other != name]
    for other in choose.sample(others, k=min(len(others), choose.choice([0, 0, 1, 2]))):
        lines.insert(choose.randint(1, len(lines)), imported(choose, other))
    for effect in choose.sample(EFFECTS, k=choose.choice([0, 1, 2])):
        text = effect.format(name=name, version=version, other=choose.choice(others or [name]))
        lines.insert(choose.randint(1, len(lines)), text)
    return "".join(lines)


def imported(choose: random.Random, name: str) -> str:
    """One of the ways to import a module that may have gone."""
    forms = (
        f"try:\n    import grown.{name}\nexcept ImportError:\n    pass\n",
        f"try:\n    from grown import {name} as _{name}\nexcept ImportError:\n    _{name} = None\n",
        f"import importlib.util\nif importlib.util.find_spec('grown.{name}'):\n    import grown.{name}\n",
        f"import grown.{name}\n",
    )
    return choose.choices(forms, weights=(3, 3, 2, 1))[0]
