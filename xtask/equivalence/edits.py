"""What is edited: drawn at random, the same for the same seed."""

import random
from collections.abc import Callable

from equivalence import grown
from equivalence.project import Project
from equivalence.tree import State, Tree

FAULTS = (
    "def broken(:\n",
    "import nothing_of_the_kind_{version}\n",
    "raise RuntimeError('broken {version}')\n",
    "broken_{version}\n",
)
"""Lines that keep a module from being loaded."""


class Author:
    """Who edits a site."""

    def __init__(self, project: Project, tree: Tree, seed: int) -> None:
        self._project = project
        self._random = random.Random(seed)  # noqa: S311 - it is to be repeatable
        self._sources = tree.sources()
        self._version = 0
        self._past: list[State] = []
        self.state = State()

    @property
    def in_place(self) -> bool:
        """Whether this edit is saved by writing over the file, as some editors do."""
        return self._random.random() < 0.5

    def edit(self) -> str:
        """Change something, and mend what was broken; what was done, for people."""
        mended = f"mended {self.state.broken}" if self.state.broken else ""
        if not mended:
            self._past.append(self.state.copy())
        self.state.broken = self.state.fault = ""
        if mended and self._random.random() < 0.5:
            return mended
        done = self._several() if self._random.random() < 0.15 else self._one()
        return f"{mended}, {done}" if mended else done

    def _one(self) -> str:
        kinds: list[tuple[int, Callable[[], str]]] = [
            (6, self._spell),
            (4, self._number),
            (2, self._comment),
            (2, self._add),
            (3, self._change),
            (1, self._remove),
            (1, self._rename),
            (1, self._data),
            (2, self._break),
            (1, self._take_back),
        ]
        if self._project.add_column:
            kinds.append((1, self._column))
        weights, actions = zip(*kinds, strict=True)
        chosen: Callable[[], str] = self._random.choices(actions, weights)[0]
        return chosen()

    def _several(self) -> str:
        return ", ".join(self._one() for _ in range(self._random.randint(2, 4)))

    def _spell(self) -> str:
        number = self._random.randrange(len(self._project.variations))
        variation = self._project.variations[number]
        now = self.state.spellings.get(number, variation.original)
        new = self._random.choice([text for text in (variation.original, *variation.others) if text != now])
        self.state.spellings[number] = new
        return f"{variation.file}: {now!r} became {new!r}"

    def _number(self) -> str:
        constant = self._random.choice(self._project.constants)
        value = self._random.randint(2, 9)
        self.state.numbers[constant] = value
        return f"{constant.file}: {constant.name} = {value}"

    def _comment(self) -> str:
        file = self._random.choice(self._sources)
        additions, comment = self.state.additions_to(file), f"# note {self._next()}"
        where = self._random.choice(["top", "beside", "bottom"])
        if where == "beside":
            additions.beside = f"  {comment}"
        else:
            (additions.top if where == "top" else additions.bottom).append(f"{comment}\n")
        return f"{file}: a comment at {where}"

    def _add(self) -> str:
        name = f"m{self._next()}"
        self._write_module(name)
        return f"added grown/{name}.py, {self._import(name)}"

    def _change(self) -> str:
        modules = self._modules()
        if not modules:
            return self._add()
        name = self._random.choice(modules)
        self._write_module(name)
        return f"changed grown/{name}.py"

    def _remove(self) -> str:
        modules = self._modules()
        if not modules:
            return self._spell()
        name = self._random.choice(modules)
        del self.state.files[f"grown/{name}.py"]
        return f"removed grown/{name}.py"

    def _rename(self) -> str:
        modules = self._modules()
        if not modules:
            return self._number()
        name, new = self._random.choice(modules), f"m{self._next()}"
        self.state.files[f"grown/{new}.py"] = self.state.files.pop(f"grown/{name}.py")
        return f"renamed grown/{name}.py to {new}.py, {self._import(new)}"

    def _data(self) -> str:
        file = self._random.choice(grown.DATA)
        self.state.files[file] = str(self._next())
        return f"{file} = {self.state.files[file]}"

    def _break(self) -> str:
        if self.state.broken:
            return self._spell()
        self.state.broken = self._random.choice(self._sources)
        self.state.fault = self._random.choice(FAULTS).format(version=self._next())
        return f"{self.state.broken}: {self.state.fault!r} at its end"

    def _take_back(self) -> str:
        back = self._random.randint(1, min(4, len(self._past)))
        self.state = self._past[-back].copy()
        return f"took back {back}"

    def _column(self) -> str:
        name = f"note_{self._next()}"
        assert self._project.add_column is not None
        self._project.add_column(self.state, name)
        return f"added the column {name}, with a migration"

    def _write_module(self, name: str) -> None:
        self.state.files[f"grown/{name}.py"] = grown.module(self._random, name, self._next(), self._modules())

    def _import(self, name: str) -> str:
        """Have a module import another one."""
        importers = [f"grown/{other}.py" for other in self._modules() if other != name]
        file = self._random.choice([*importers, *self._sources, *self._sources])
        text = grown.imported(self._random, name)
        if file in self.state.files:
            self.state.files[file] = text + self.state.files[file]
        elif self._random.random() < 0.5:
            self.state.additions_to(file).top.append(text)
        else:
            self.state.additions_to(file).bottom.append(text)
        return f"imported by {file}"

    def _modules(self) -> list[str]:
        found = (file.removeprefix("grown/").removesuffix(".py") for file in self.state.files)
        return sorted(name for name in found if name.startswith("m"))

    def _next(self) -> int:
        self._version += 1
        return self._version
