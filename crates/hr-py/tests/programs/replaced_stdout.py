"""Starts runs while something else stands in for the standard streams. Prints their results."""

import sys
from typing import Any

from app.main import answer
from hotreload import isolate_imports


class Sink:
    """It has a `write`, and no more."""

    def write(self, text: str) -> int:
        return len(text)


stdout: Any = sys.stdout
with isolate_imports("app") as environment:
    replacements: list[Any] = [Sink(), None, object()]
    for number, replacement in enumerate(replacements):
        sys.stdout = sys.stderr = replacement
        run = environment.exec(answer, number)
        stdout.write(f"{environment.communicate_isolated(run)}\n")
sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
