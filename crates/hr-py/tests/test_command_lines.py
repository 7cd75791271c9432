"""A program under ``hr run`` in pipelines and other places of a shell, where it is what it is under ``python``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from harness.terminal import LOOP, ONCE, PYTHON, Terminal, needs_shell

if TYPE_CHECKING:
    from harness.user import User

pytestmark = needs_shell

PIPELINES = """
echo x | {python} cat.py
{python} cat.py <<< here
{python} streams.py < cat.py > output 2>&1; cat output
{python} streams.py 2>&1 | cat
{python} -m streams 2>&1 | cat
{python} many.py | head -1
{python} many.py 2>/dev/null | head -1; echo ${PIPESTATUS[0]}
{python} many.py > /dev/full 2>/dev/null; echo $?
{python} streams.py & wait $!; echo $?
"""
"""Command lines in which a program stands that is not alone with the terminal."""

SURROUNDINGS = """
{python} given.py <&-; cat given
{python} given.py >&-; cat given
{python} given.py 2>&-; cat given
{python} given.py <&- >&- 2>&-; cat given
nohup {python} streams.py; cat nohup.out
(trap '' INT HUP; {python} given.py; cat given)
sh -c '{python} given.py & wait; cat given'
sh -c '{python} streams.py; echo $?'
timeout 60 {python} streams.py
(exec {python} streams.py)
echo $({python} streams.py)
(cd folder && {python} ../given.py; cat given)
(umask 077; ulimit -n 40; ulimit -s 1024; {python} given.py; cat given)
nice -n 3 {python} given.py; cat given
env -i PATH="$PATH" {python} streams.py
"""
"""Command lines that start a program otherwise than a terminal does."""

PIPELINE_PROGRAMS = {
    "cat.py": "import sys\nfor line in sys.stdin:\n    print('got', line.strip())\n",
    "many.py": "for number in range(100_000):\n    print('line', number)\n",
    "streams.py": """\
import sys
print("out", sys.stdout.line_buffering)
print("err", file=sys.stderr)
sys.exit("bye")
""",
    "given.py": """\
import os
import resource
import signal
import sys

streams = [stream and (stream.encoding, stream.isatty()) for stream in (sys.stdin, sys.stdout, sys.stderr)]
signals = [str(signal.getsignal(number)) for number in range(1, 32)]
limits = [resource.getrlimit(number) for number in range(9)]
with open("given", "w") as file:
    print(streams, signals, limits, os.nice(0), os.umask(0), os.getcwd(), sep="\\n", file=file)
""",
    "folder/empty": "",
}


@pytest.mark.parametrize("lines", [PIPELINES, SURROUNDINGS], ids=["pipelines", "surroundings"])
def test_command_lines_do_what_they_do_with_python(user: User, lines: str) -> None:
    """Exit status, and everything that is shown."""
    user.place.write(PIPELINE_PROGRAMS)
    with Terminal(user) as terminal:
        for line in lines.strip().splitlines():
            seen = []
            for command in (PYTHON, ONCE):
                status, shown = terminal.run(line.replace("{python}", command))
                seen.append((status, re.sub(r"\[1\] \d+", "", shown).replace(command, PYTHON)))
                terminal.run("rm -f output nohup.out given folder/given")
            assert seen[0] == seen[1], line


def test_a_pipeline_ends_with_its_reader(user: User) -> None:
    """Otherwise a change would be waited for on behalf of nobody."""
    user.place.write(PIPELINE_PROGRAMS)
    with Terminal(user) as terminal:
        status, shown = terminal.run(f"{LOOP} -q many.py | head -1")
        assert (status, shown.splitlines()[0]) == (0, "line 0")
        assert "BrokenPipeError" in shown
