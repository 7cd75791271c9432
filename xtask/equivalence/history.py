"""One history: a site, a number of edits, and after each of them the same questions to both servers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from equivalence import answers
from equivalence.edits import Author
from equivalence.project import Project
from equivalence.servers import Cold, End, Loop, Place, Restart
from equivalence.tree import Tree


class DifferenceError(Exception):
    """What came of an edit is not what a cold start comes to."""


@dataclass
class Tally:
    """What has been counted."""

    edits: int = 0
    comparisons: int = 0
    restarts: int = 0
    resumed: int = 0
    differences: int = 0

    def __str__(self) -> str:
        share = 100 * self.resumed // self.restarts if self.restarts else 0
        return (
            f"{self.edits} edits, {self.comparisons} comparisons, {self.restarts} restarts, "
            f"{self.resumed} of them resumed ({share} %), {self.differences} differences"
        )


class History:
    """A site that is edited."""

    def __init__(self, project: Project, place: Place, seed: int, tally: Tally, tell: Callable[[str], None]) -> None:
        self._project = project
        self._place = place
        self._tally = tally
        self._tell = tell
        self.told = [f"seed {seed}"]
        """The seed and the edits so far, for people."""
        project.write(place.project)
        self._tree = Tree(place.project, project.variations)
        self._author = Author(project, self._tree, seed)
        self._cookies: Mapping[str, str] = {}
        self._unmigrated = False
        self._end: End | None = None
        self._before: list[answers.Answer] = []

    def play(self, edits: int) -> None:
        """Edit, and compare, until there is a difference."""
        self._project.prepare(self._place)
        port = answers.free_port()
        with Loop(self._place, self._project.warm(port), self._project.options, self._project.ready) as loop:
            restart = loop.started()
            with self._cold() as cold:
                end = cold.started()
                self._cookies = self._project.log_in(cold.port)
                self._judge(restart, end, port, cold.port)
            for _ in range(edits):
                self._edit(loop, port)

    def _edit(self, loop: Loop, port: int) -> None:
        with loop.held():
            done = self._author.edit()
            changed = self._tree.write(self._author.state, in_place=self._author.in_place)
            self._unmigrated |= any("/migrations/" in name for name in changed)
            # Who breaks a site migrates once it is mended.
            self._unmigrated = self._unmigrated and not self._project.migrate(self._place)
        self.told.append(done)
        if not changed:
            return
        self._tally.edits += 1
        with self._cold() as cold:
            restart = loop.restarted()
            self.told[-1] += f" [{restart}]"
            self._tell(self.told[-1])
            if restart.kind == "restarted":
                self._tally.restarts += 1
                self._tally.resumed += restart.resumed is not None
            self._judge(restart, cold.started(), port, cold.port)

    def _cold(self) -> Cold:
        port = answers.free_port()
        return Cold(self._place, self._project.cold(self._place, port), port, self._project.ready)

    def _judge(self, restart: Restart, cold: End | None, port: int, cold_port: int) -> None:
        if restart.kind == "syntax-error":
            self._judge_unparsed(cold, port)
            return
        if restart.kind != "nothing":
            self._end = restart.end
        if self._end is None and cold is None:
            self._before = self._ask(port)
            self._compare(self._ask(cold_port), self._before)
        else:
            self._compare_ends(cold, self._end)

    def _judge_unparsed(self, cold: End | None, port: int) -> None:
        """What cannot be parsed does not start; what ran before it runs on."""
        if cold is None:
            raise DifferenceError("hr run tells of a syntax error, and a cold start serves")
        if self._end is None:
            self._compare(self._before, self._ask(port))

    def _ask(self, port: int) -> list[answers.Answer]:
        return [answers.ask(port, path, self._cookies) for path in self._project.requests]

    def _compare(self, expected: list[answers.Answer], got: list[answers.Answer]) -> None:
        for path, one, other in zip(self._project.requests, expected, got, strict=True):
            self._tally.comparisons += 1
            if one != other:
                raise DifferenceError("\n".join([f"GET {path}", *answers.difference(one, other)]))

    def _compare_ends(self, expected: End | None, got: End | None) -> None:
        self._tally.comparisons += 1
        if expected is None or got is None:
            told = [f"{who} {_told(end)}" for who, end in (("the cold start", expected), ("hr run", got))]
            raise DifferenceError("\n".join(told))
        one, other = expected.text(), got.text()
        if one != other:
            raise DifferenceError("\n".join(answers.unified(one, other)))


def _told(end: End | None) -> str:
    return "serves" if end is None else "\n".join(["ended:", *end.text()])
