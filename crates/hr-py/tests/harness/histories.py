"""Generated programs and edits of them, and what a program that was edited must come to: what a cold start comes to.

Every module of such a program writes down that it is executed, and leaves side effects of the kinds that people's
modules have. At its end the program prints all of it.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from harness.lines import Lines

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from harness.user import User

SETTINGS = """\
[project]
name = "history"
version = "0"
[tool.hotreload]
checkpoints = 40
checkpoint-overhead = 1000000
"""

LAST = 0.03
"""How likely an edit is not to be made, nor any after it. To make a history smaller, small numbers are tried first."""

LOG = "EXECUTED = []\nREGISTRY = {}\n"

MAIN = """\
import json, os, sys, time
{imports}
from app import log
state = {{
    "executed": log.EXECUTED,
    "registry": log.REGISTRY,
    "values": {{name: getattr(module, "VALUE", None) for name, module in sorted(sys.modules.items())
               if name.startswith("app.") and name != "app.log"}},
    "order": [name for name in sys.modules if name == "app" or name.startswith("app.")],
    "environment": {{name: value for name, value in sorted(os.environ.items()) if name.startswith("HISTORY_")}},
    "path": [os.path.basename(entry) for entry in sys.path[:2]],
    "directory": os.path.basename(os.getcwd()),
    "main": sorted(name for name in vars(sys.modules["__main__"]) if not name.startswith("__")),
}}
print("STATE " + json.dumps(state), flush=True)
while True:
    time.sleep(0.1)
"""


ENTRY = """\
import json, os, sys
{imports}
def state():
    from app import log
    return {{
        "executed": log.EXECUTED,
        "registry": log.REGISTRY,
        "values": {{name: getattr(module, "VALUE", None) for name, module in sorted(sys.modules.items())
                   if name.startswith("app.") and name != "app.log"}},
        "order": [name for name in sys.modules if name == "app" or name.startswith("app.")],
        "environment": {{name: value for name, value in sorted(os.environ.items()) if name.startswith("HISTORY_")}},
        "directory": os.path.basename(os.getcwd()),
    }}
"""
"""The same for a function that is called."""

COLD_CALL = """import json
from app.entry import state
print("RETURNED", json.dumps(state()))
"""


class Project:
    """A program that is edited at random. The same choices give the same program and the same edits."""

    def __init__(self, folder: Path, choices: random.Random) -> None:
        """Take the place of what another one has left in the folder."""
        for entry in folder.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        self._folder = folder
        self._random = choices
        self._done: list[str] = []
        self._version = 0
        self._written: set[str] = set()
        count = self._random.randint(4, 12)
        self.names = [self._new_name(index) for index in range(count)]
        self._count = count
        self._bodies = {name: self._body(name) for name in self.names}
        self._main = self._random.sample(self.names, k=min(3, len(self.names)))
        self._data = {"one.txt": "1", "two.txt": "2"}
        self.write()

    def _new_name(self, index: int) -> str:
        folder = self._random.choice(["", "", "sub.", "deep.er.", "plain."])
        return f"{folder}m{index}"

    def edit(self) -> bool:
        """Change something, unless this is the end of its history."""
        if self._random.random() < LAST:
            return False
        kinds = [self._change] * 6 + [self._add, self._remove, self._rename, self._change_data, self._two, self._touch]
        self._done.append(self._random.choice(kinds)())
        self.write()
        return True

    def story(self) -> str:
        """What was done, and what it has come to, for people."""
        files = (path for path in sorted(self._folder.rglob("*")) if path.is_file() and path.suffix in {".py", ".txt"})
        texts = (f"=== {path.relative_to(self._folder)}\n{path.read_text(encoding='utf-8')}" for path in files)
        return "\n".join(["edits:", *self._done, "program:", *texts])

    def _change(self) -> str:
        name = self._random.choice(self.names)
        self._bodies[name] = self._body(name)
        return f"changed {name}"

    def _two(self) -> str:
        return f"{self._change()}, {self._change()}"

    def _add(self) -> str:
        name = self._new_name(self._count)
        self._count += 1
        self.names.append(name)
        self._bodies[name] = self._body(name)
        importer = self._random.choice(self.names[:-1])
        self._bodies[importer] = self._import(name) + self._bodies[importer]
        return f"added {name}, imported by {importer}"

    def _remove(self) -> str:
        if len(self.names) < 4:
            return self._change()
        name = self._random.choice(self.names)
        self.names.remove(name)
        del self._bodies[name]
        return f"removed {name}"

    def _rename(self) -> str:
        name = self._random.choice(self.names)
        new = self._new_name(self._count)
        self._count += 1
        self.names[self.names.index(name)] = new
        self._bodies[new] = self._bodies.pop(name)
        importer = self._random.choice(self.names)
        self._bodies[importer] = self._import(new) + self._bodies[importer]
        return f"renamed {name} to {new}, imported by {importer}"

    def _change_data(self) -> str:
        name = self._random.choice(sorted(self._data))
        self._version += 1
        self._data[name] = str(self._version)
        return f"changed {name}"

    def _touch(self) -> str:
        name = self._random.choice(self.names)
        self._bodies[name] += "# a comment\n"
        return f"commented {name}, and {self._change()}"

    def _import(self, name: str) -> str:
        package, _, module = name.rpartition(".")
        where = f"app.{package}" if package else "app"
        forms = [
            f"import app.{name}\n",
            f"from {where} import {module}\n",
            f"import importlib\nimportlib.import_module('app.{name}')\n",
            f"def load():\n    import app.{name}\nload()\n",
            f"try:\n    import app.{name}\nexcept ImportError as error:\n"
            f"    EXECUTED.append('no {name}: ' + type(error).__name__)\n",
        ]
        guarded = self._random.choice(forms[3:] if self._random.random() < 0.5 else forms)
        return (
            guarded
            if guarded.startswith(("try", "def"))
            else f"if True:\n    {guarded.rstrip().replace(chr(10), chr(10) + '    ')}\n"
        )

    def _body(self, name: str) -> str:
        self._version += 1
        choose = self._random
        lines = [f"EXECUTED.append('{name} version {self._version}')\n", f"VALUE = {self._version}\n"]
        if hasattr(self, "_bodies") or choose.random() < 2:
            others = [other for other in self.names if other != name]
            for other in choose.sample(others, k=min(len(others), choose.choice([0, 1, 1, 2, 3]))):
                lines.insert(choose.randint(1, len(lines)), self._import(other))
        for effect in choose.sample(EFFECTS, k=choose.choice([0, 1, 1, 2])):
            text = effect.format(name=name, version=self._version, other=choose.choice(self.names))
            lines.insert(choose.randint(1, len(lines)), text)
        if choose.random() < 0.04:
            lines.append("raise RuntimeError('broken')\n")
        return "".join(lines)

    def write(self) -> None:
        """Bring the files up to date."""
        imports = "".join(f"import app.{name}\n" for name in self._main if name in self.names)
        files = {
            "pyproject.toml": SETTINGS,
            "main.py": MAIN.format(imports=imports),
            "app/entry.py": ENTRY.format(imports=imports),
            "app/__init__.py": "",
            "app/log.py": LOG,
            "app/sub/__init__.py": "",
            "app/deep/__init__.py": "from app.log import EXECUTED\nEXECUTED.append('deep')\n",
            "app/deep/er/__init__.py": "",
            "data/one.txt": self._data["one.txt"],
            "data/two.txt": self._data["two.txt"],
        }
        for name, body in self._bodies.items():
            files[f"app/{name.replace('.', '/')}.py"] = f"from app.log import EXECUTED, REGISTRY\n{body}"
        for name, text in files.items():
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                temporary = path.with_name(f".{path.name}.new")
                temporary.write_text(text, encoding="utf-8")
                temporary.replace(path)
        for gone in self._written - files.keys():
            (self._folder / gone).unlink()
        self._written = set(files)


EFFECTS = [
    "REGISTRY['{name}'] = {version}\n",
    "REGISTRY.setdefault('list', []).append('{name} {version}')\n",
    "print('printed by {name} {version}')\n",
    "import os\nEXECUTED.append('data ' + open('data/one.txt').read())\n",
    "import pathlib\nEXECUTED.append('data ' + pathlib.Path('data/two.txt').read_text())\n",
    "import os\nEXECUTED.append(sorted(name for name in os.listdir('data')))\n",
    "import os\nos.environ['HISTORY_{version}'] = '{name}'\n",
    "import sys\nEXECUTED.append(['app.{other}' in sys.modules, len(EXECUTED)])\n",
    "import app.log as _log\ndef decorate(function):\n    REGISTRY[function.__name__ + '{name}'] = {version}\n"
    "    return function\n@decorate\ndef decorated(): pass\n",
    "import app\napp.patched = '{name}'\nEXECUTED.append(sorted(vars(app).keys() - {{'__builtins__'}}))\n",
    "import pkgutil, app.sub\nfor found in pkgutil.iter_modules(app.sub.__path__):\n"
    "    __import__('app.sub.' + found.name)\n    EXECUTED.append('walked ' + found.name)\n",
    "import sys, types\nclass Replaced(types.ModuleType):\n    VALUE = 'replaced {version}'\n"
    "sys.modules[__name__].__class__ = Replaced\n",
    "import random\nrandom.seed({version})\nEXECUTED.append(random.random())\n",
    "import random\nEXECUTED.append(type(random.random()).__name__)\n",
    "import importlib.util\nEXECUTED.append(importlib.util.find_spec('app.{other}') is not None)\n",
    "import os\nEXECUTED.append(os.path.exists('data'))\n_handle = open('data/one.txt')\n_handle.read(0)\n",
    "import warnings\nwarnings.simplefilter('ignore')\nEXECUTED.append(len(warnings.filters) > 0)\n",
    "import sys\nsys.setrecursionlimit(2000 + {version})\nEXECUTED.append(sys.getrecursionlimit())\n",
    "import colorsys\nEXECUTED.append(colorsys.__name__)\n",
    "try:\n    import not_there_{version}\nexcept ImportError:\n    EXECUTED.append('absent')\n",
]


def cold(user: User) -> list[str]:
    """What the program prints when an interpreter starts it, up to its state or its end."""
    child = subprocess.Popen(
        [user.environment.python, "main.py"],
        cwd=user.place.project,
        env=user.variables() | {"PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    user.children.add(child.pid)
    assert child.stdout is not None
    lines: list[str] = []
    for line in child.stdout:
        lines.append(line.decode())
        if line.startswith(b"STATE "):
            break
    child.kill()
    child.wait()
    child.stdout.close()
    return lines


def cold_call(user: User) -> list[str]:
    """What comes of a call in a new interpreter: what is printed on the way, and what it returns, if it does."""
    child = subprocess.run(
        [user.environment.python, "-c", COLD_CALL],
        cwd=user.place.project,
        env=user.variables() | {"PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    return child.stdout.splitlines(keepends=True)


class Reader:
    """Lines of a development loop, those of the program apart from those of `hr`."""

    def __init__(self, descriptor: int) -> None:
        self._lines = Lines(descriptor)
        self.said: list[str] = []

    def until_state(self) -> list[str]:
        """What the program prints up to its state or its end."""
        lines: list[str] = []
        while True:
            line = self._lines.next()
            if not line.startswith("hr  "):
                lines.append(line)
                if line.startswith("STATE "):
                    return lines
                continue
            self.said.append(line)
            if "waiting for a change" in line:
                return lines
