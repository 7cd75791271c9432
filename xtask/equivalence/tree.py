"""The files of a site, as a state that is written out: what an edit changes is data, so it can be taken back."""

import copy
import re
from dataclasses import dataclass, field
from pathlib import Path

_FIRST_IMPORT = re.compile(r"^(import|from) .*$", re.MULTILINE)


@dataclass(frozen=True)
class Variation:
    """A place in a file that can be spelled in several ways."""

    file: str
    original: str
    others: tuple[str, ...]


@dataclass(frozen=True)
class Constant:
    """A number in a file."""

    file: str
    name: str


@dataclass
class Additions:
    """What stands in a file beside its own text."""

    top: list[str] = field(default_factory=list)
    """Lines before its first import."""
    beside: str = ""
    """A comment behind its first import, which moves no line."""
    bottom: list[str] = field(default_factory=list)
    """Lines after its last."""

    def into(self, text: str) -> str:
        """The text with them."""
        found = _FIRST_IMPORT.search(text)
        place = found.start() if found else 0
        end = found.end() if found and not found[0].endswith("(") else place
        beside = self.beside if end > place else ""
        text = text[:end] + beside + text[end:]
        return "".join([text[:place], *self.top, text[place:], *self.bottom])


@dataclass
class State:
    """What distinguishes a site from what it was at first."""

    spellings: dict[int, str] = field(default_factory=dict)
    """By the variation's number."""
    numbers: dict[Constant, int] = field(default_factory=dict)
    additions: dict[str, Additions] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    """Those that the site did not have."""
    insertions: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """Lines that follow a line of a file."""
    broken: str = ""
    """A file that does not load, for as long as this state holds."""
    fault: str = ""
    """Its last line."""

    def copy(self) -> "State":
        return copy.deepcopy(self)

    def additions_to(self, file: str) -> Additions:
        """Those of one file, to be changed."""
        return self.additions.setdefault(file, Additions())


class Tree:
    """A site's folder."""

    def __init__(self, folder: Path, variations: tuple[Variation, ...]) -> None:
        self._folder = folder
        self._variations = variations
        self._base = {
            path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix in {".py", ".html", ".txt", ".json", ".env"}
        }
        self._written = dict(self._base)

    def sources(self) -> list[str]:
        """The Python files that it had at first and that hold something."""
        return [name for name, text in self._base.items() if name.endswith(".py") and _FIRST_IMPORT.search(text)]

    def write(self, state: State, *, in_place: bool) -> list[str]:
        """Bring the folder to a state, by writing over files or by putting others in their place; what was written."""
        texts = self._texts(state)
        changed = [name for name, text in texts.items() if self._written.get(name) != text]
        for name in changed:
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            written = path if in_place else path.with_name(f".{path.name}.new")
            written.write_text(texts[name], encoding="utf-8")
            if written != path:
                written.replace(path)
        gone = sorted(self._written.keys() - texts.keys())
        for name in gone:
            (self._folder / name).unlink()
        self._written = texts
        return changed + gone

    def _texts(self, state: State) -> dict[str, str]:
        texts = self._base | state.files
        for number, spelling in state.spellings.items():
            variation = self._variations[number]
            if texts[variation.file].count(variation.original) != 1:
                raise ValueError(f"{variation.file} does not have {variation.original!r} once")
            texts[variation.file] = texts[variation.file].replace(variation.original, spelling)
        for (name, line), lines in state.insertions.items():
            texts[name] = texts[name].replace(line, "".join([line, *lines]), 1)
        for constant, value in state.numbers.items():
            text, found = re.subn(
                rf"^{constant.name} = \d+$", f"{constant.name} = {value}", texts[constant.file], flags=re.MULTILINE
            )
            if found != 1:
                raise ValueError(f"{constant.file} does not have {constant.name} once")
            texts[constant.file] = text
        for name, additions in state.additions.items():
            if name in texts:
                texts[name] = additions.into(texts[name])
        if state.broken in texts:
            texts[state.broken] += state.fault
        return texts
