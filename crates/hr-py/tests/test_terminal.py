"""A program under ``hr run`` has the terminal as it would have it under ``python``: keys, jobs, settings, pipes."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest
from harness import processes
from harness.terminal import BASH, CTRL_BACKSLASH, CTRL_C, CTRL_D, CTRL_Z, UP, Terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.user import User

pytestmark = pytest.mark.skipif(not shutil.which(BASH), reason="needs a shell that has job control and tells its status")

PYTHON = "python"
ONCE = "hr run -q --no-reload"
LOOP = "hr run"

QUESTION = """
print("hello", input("name? "))
input("more? ")
"""

PASSWORD = """
import getpass
import sys
sys.tracebacklimit = 0
print("got", getpass.getpass())
"""

DEBUGGED = """
def double(value):
    return value * 2

breakpoint()
x = double(21)
print("end", x)
"""

INTERPRETER = """
import code
import readline
code.interact(banner="Welcome", local={}, exitmsg="")
"""

SERVER = """
import atexit
import os
import signal

atexit.register(print, "atexit")
def main():
    try:
        os.write(1, b"Serving version 1\\n")
        while True:
            signal.pause()
    except KeyboardInterrupt:
        print("interrupted")
        raise
    finally:
        print("finally")
try:
    main()
except KeyboardInterrupt:
    os.write(1, b"over\\n")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    raise SystemExit(7)
"""

PLAIN_SERVER = """
import os
import signal
import sys
sys.tracebacklimit = 0  # where exactly it is interrupted does not matter
os.write(1, b"Serving version 1\\n")
while True:
    signal.pause()
"""

HANDLER = """
import os
import signal
import sys

def end(number, frame):
    os.write(1, f"handled {signal.Signals(number).name}\\n".encode())
    sys.exit(3)

for number in (signal.SIGINT, signal.SIGQUIT):
    signal.signal(number, end)
os.write(1, b"Serving\\n")
while True:
    signal.pause()
"""

STUBBORN = """
import os
import signal
import subprocess
import sys

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
os.write(1, f"Serving 1 {child.pid}.\\n".encode())
while True:
    signal.pause()
"""

ECHO = """
print("version 1", flush=True)
while True:
    print("got", input(), flush=True)
"""

SIZE = """
import os
import signal

def tell(*_):
    os.write(1, "size {} {}\\n".format(*os.get_terminal_size()).encode())

signal.signal(signal.SIGWINCH, tell)
tell()
while True:
    signal.pause()
"""

RAW = """
import os
import tty
tty.setraw(0)
os.write(1, b"Version 1\\r\\n")
while (key := os.read(0, 1)) != b"q":
    os.write(1, b"key " + key + b"\\r\\n")
"""

FULL_SCREEN = """
import curses

def main(screen):
    screen.addstr(0, 0, "Full screen 1")
    while True:
        screen.refresh()
        key = screen.getkey()
        if key == "q":
            break
        screen.addstr(1, 0, "key " + key)

curses.wrapper(main)
print("After")
"""

JOBS = """
import os
import signal
import subprocess

def foreground():
    os.setpgrp()
    os.tcsetpgrp(0, os.getpgrp())

signal.signal(signal.SIGTTOU, signal.SIG_IGN)
subprocess.run(["sh", "-c", "read line; echo child $line"], preexec_fn=foreground)
foreground()
print("back", input("more? "))
"""


SCENES: dict[str, tuple[str, Callable[[Terminal], None]]] = {}
"""Programs, and what a person does with them until the shell has the terminal again."""


def scene(program: str) -> Callable[[Callable[[Terminal], None]], Callable[[Terminal], None]]:
    def add(act: Callable[[Terminal], None]) -> Callable[[Terminal], None]:
        SCENES[act.__name__] = program, act
        return act

    return add


@scene(QUESTION)
def a_line_is_edited_and_input_ends(terminal: Terminal) -> None:
    terminal.expect("name? ")
    terminal.enter("bax\x7fb")
    terminal.expect("hello bab")
    terminal.expect("more? ")
    terminal.press(CTRL_D)


@scene(PASSWORD)
def a_password_is_not_shown(terminal: Terminal) -> None:
    terminal.expect("Password: ")
    terminal.enter("secret")
    assert "secret" not in terminal.expect("got secret")


@scene(PASSWORD)
def a_password_is_not_given(terminal: Terminal) -> None:
    terminal.expect("Password: ")
    terminal.press(CTRL_C)


@scene(DEBUGGED)
def a_debugger_steps_and_goes_on(terminal: Terminal) -> None:
    terminal.expect("(Pdb) ")
    terminal.enter("n")
    terminal.expect("(Pdb) ")
    terminal.enter("p double(4)")
    terminal.expect("8\r\n")
    terminal.expect("(Pdb) ")
    terminal.enter("c")
    terminal.expect("end 42")


@scene(DEBUGGED)
def a_debugger_is_interrupted_and_goes_on(terminal: Terminal) -> None:
    terminal.expect("(Pdb) ")
    terminal.press(CTRL_C)
    terminal.expect("--KeyboardInterrupt--")
    terminal.expect("(Pdb) ")
    terminal.enter("c")
    terminal.expect("end 42")


@scene(DEBUGGED)
def a_debugger_is_left(terminal: Terminal) -> None:
    terminal.expect("(Pdb) ")
    terminal.enter("q")


@scene(INTERPRETER)
def an_interpreter_remembers_lines(terminal: Terminal) -> None:
    terminal.expect(">>> ")
    terminal.enter("6*7")
    terminal.expect("42\r\n")
    terminal.expect(">>> ")
    terminal.type(UP)
    terminal.expect("6*7")
    terminal.enter("+1")
    terminal.expect("43\r\n")
    terminal.expect(">>> ")
    terminal.press(CTRL_D)


@scene(SERVER)
def a_server_cleans_up_when_interrupted(terminal: Terminal) -> None:
    terminal.expect("Serving version 1")
    terminal.press(CTRL_C)
    terminal.expect("over")


@scene(PLAIN_SERVER)
def a_server_is_interrupted(terminal: Terminal) -> None:
    terminal.expect("Serving version 1")
    terminal.press(CTRL_C)


@scene(HANDLER)
def a_handler_takes_an_interrupt(terminal: Terminal) -> None:
    terminal.expect("Serving")
    terminal.press(CTRL_C)


@scene(HANDLER)
def a_handler_takes_a_quit(terminal: Terminal) -> None:
    terminal.expect("Serving")
    terminal.press(CTRL_BACKSLASH)


@scene(PLAIN_SERVER)
def a_server_quits(terminal: Terminal) -> None:
    terminal.expect("Serving")
    terminal.press(CTRL_BACKSLASH)


@scene(ECHO)
def a_job_is_stopped_and_goes_on(terminal: Terminal) -> None:
    terminal.expect("version 1")
    terminal.enter("a")
    terminal.expect("got a")
    terminal.press(CTRL_Z)
    terminal.expect_prompt()
    assert terminal.run("echo in the shell") == (0, "in the shell")
    terminal.enter("fg")
    terminal.expect("program.py")
    terminal.enter("b")
    terminal.expect("got b")
    terminal.press(CTRL_D)


@scene(SIZE)
def a_window_changes_its_size(terminal: Terminal) -> None:
    terminal.expect("size 200 24")
    terminal.resize(30, 100)
    terminal.expect("size 100 30")
    terminal.press(CTRL_BACKSLASH)


@scene(FULL_SCREEN)
def a_program_fills_the_screen(terminal: Terminal) -> None:
    terminal.expect("Full screen 1")
    assert terminal.is_raw()
    terminal.type("a")
    terminal.expect("key a")
    terminal.type("q")
    terminal.expect("After")


@scene(JOBS)
def a_program_does_job_control_itself(terminal: Terminal) -> None:
    terminal.enter("one")
    terminal.expect("child one")
    terminal.expect("more? ")
    terminal.enter("two")
    terminal.expect("back two")


@scene("import os\nos.system('stty -echo')\n")
def a_program_changes_the_settings_and_ends(_: Terminal) -> None:
    pass


@scene("import sys\nprint([stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)])\n1 / 0\n")
def a_traceback_may_be_coloured(_: Terminal) -> None:
    pass


@scene("import os\nopen('/dev/tty', 'w').write(os.ctermid())\nos.kill(os.getpid(), 15)\n")
def a_program_is_terminated(_: Terminal) -> None:
    pass


def without_echo(shown: str) -> str:
    """What is shown without the echo of keys that send signals, which may come before or after what they bring about."""
    return re.sub(r"\^[CZ\\]|\a", "", shown)


@pytest.mark.parametrize("name", SCENES)
def test_a_person_sees_what_they_see_with_python(user: User, name: str) -> None:
    """Exit status, everything on the screen, colours included, and how the terminal is set afterwards."""
    program, act = SCENES[name]
    user.place.write({"program.py": program})
    seen = []
    for command in (PYTHON, ONCE):
        with Terminal(user) as terminal:
            before = terminal.shown()
            terminal.enter(f"{command} program.py")
            act(terminal)
            status, _ = terminal.expect_prompt()
            shown = terminal.shown().removeprefix(before).replace(command, PYTHON)
            seen.append((status, without_echo(shown), terminal.settings()))
    assert seen[0] == seen[1]


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
    "streams.py": "import sys\nprint('out', sys.stdout.line_buffering)\nprint('err', file=sys.stderr)\nsys.exit('bye')\n",
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


def test_a_server_cleans_up_and_then_the_loop_ends(user: User) -> None:
    user.place.write({"program.py": SERVER})
    with Terminal(user) as terminal:
        terminal.enter(f"{LOOP} program.py")
        terminal.expect("Serving version 1")
        terminal.press(CTRL_C)
        status, shown = terminal.expect_prompt()
        assert (status, without_echo(shown).split()[-4:]) == (7, ["interrupted", "finally", "over", "atexit"])


def test_a_program_that_ignores_interrupts_is_ended_with_all_it_has_started(user: User) -> None:
    user.place.write({"program.py": STUBBORN})
    with Terminal(user) as terminal:
        terminal.enter(f"{LOOP} --grace 0.1 program.py")
        first = int(terminal.expect_match(r"Serving 1 (\d+)\.")[1])
        user.place.write({"program.py": STUBBORN.replace("Serving 1", "Serving 2")})
        second = int(terminal.expect_match(r"Serving 2 (\d+)\.")[1])
        assert processes.has_ended(first), "a restart leaves nothing of the version before"
        assert terminal.press_until_prompt(CTRL_C) == 130
        assert processes.has_ended(second)


def test_an_edit_while_the_job_is_stopped_is_applied_when_it_goes_on(user: User) -> None:
    user.place.write({"program.py": ECHO})
    with Terminal(user) as terminal:
        terminal.enter(f"{LOOP} program.py")
        terminal.expect("version 1")
        terminal.press(CTRL_Z)
        terminal.expect("Stopped")
        terminal.expect_prompt()
        user.place.write({"program.py": ECHO.replace("version 1", "version 2")})
        terminal.enter("fg")
        terminal.expect("version 2")
        terminal.enter("a")
        terminal.expect("got a")
        terminal.press(CTRL_D)
        terminal.expect("waiting for a change")
        terminal.press(CTRL_C)
        assert terminal.expect_prompt()[0] == 130


def test_a_job_in_the_background_is_kept_up_to_date(user: User) -> None:
    user.place.write({"program.py": SERVER})
    with Terminal(user) as terminal:
        terminal.enter(f"{LOOP} program.py")
        terminal.expect("Serving version 1")
        terminal.press(CTRL_Z)
        terminal.expect("Stopped")
        terminal.expect_prompt()
        terminal.enter("bg")
        terminal.expect_prompt()
        user.place.write({"program.py": SERVER.replace("version 1", "version 2")})
        terminal.expect("Serving version 2")
        terminal.enter("")
        terminal.expect_prompt()
        assert terminal.run("echo here") == (0, "here"), "the terminal is the shell's"
        terminal.enter("fg")
        terminal.expect("program.py")
        terminal.press(CTRL_C)
        assert terminal.expect_prompt()[0] == 7


def test_the_next_version_finds_the_terminal_as_the_first_has(user: User) -> None:
    user.place.write({"program.py": RAW})
    with Terminal(user) as terminal:
        before = terminal.settings()
        terminal.enter(f"{LOOP} program.py")
        terminal.expect("Version 1")
        terminal.type("a")
        terminal.expect("key a")
        assert terminal.is_raw()
        user.place.write({"program.py": QUESTION})
        terminal.expect("name? ")
        assert terminal.settings() == before
        terminal.enter("you")
        terminal.expect("hello you")
        terminal.expect("more? ")
        user.place.write({"program.py": RAW})
        terminal.expect("Version 1")
        terminal.type("q")
        terminal.expect("waiting for a change")


def test_a_program_that_fills_the_screen_is_restarted(user: User) -> None:
    user.place.write({"program.py": FULL_SCREEN})
    with Terminal(user) as terminal:
        before = terminal.settings()
        terminal.enter(f"{LOOP} program.py")
        terminal.expect("Full screen 1")
        user.place.write({"program.py": FULL_SCREEN.replace("screen 1", "screen 2")})
        terminal.expect("Full screen 2")
        terminal.type("b")
        terminal.expect("key b")
        terminal.type("q")
        terminal.expect("waiting for a change")
        terminal.press(CTRL_C)
        assert terminal.expect_prompt()[0] == 130
        assert terminal.settings() == before


def test_an_interrupted_debugger_goes_on_and_is_restarted_by_an_edit(user: User) -> None:
    user.place.write({"program.py": DEBUGGED})
    with Terminal(user) as terminal:
        terminal.enter(f"{LOOP} program.py")
        terminal.expect("(Pdb) ")
        terminal.press(CTRL_C)
        terminal.expect("--KeyboardInterrupt--")
        terminal.expect("(Pdb) ")
        user.place.write({"program.py": DEBUGGED.replace("21", "22")})
        terminal.expect("(Pdb) ")
        terminal.enter("c")
        terminal.expect("end 44")
        terminal.expect("waiting for a change")


def test_the_terminal_is_taken_back_from_a_program_that_had_made_itself_its_foreground_job(user: User) -> None:
    user.place.write({"program.py": JOBS})
    with Terminal(user) as terminal:
        terminal.enter(f"{LOOP} program.py")
        terminal.enter("one")
        terminal.expect("more? ")
        user.place.write({"program.py": QUESTION})
        terminal.expect("name? ")
        terminal.enter("you")
        terminal.expect("hello you")
        terminal.press(CTRL_D)
        terminal.expect("waiting for a change")
        terminal.press(CTRL_C)
        assert terminal.expect_prompt()[0] == 130


@pytest.mark.parametrize("program", [SERVER, STUBBORN, ECHO], ids=["server", "stubborn", "reader"])
def test_nothing_is_left_when_the_window_is_closed(user: User, program: str) -> None:
    user.place.write({"program.py": program})
    with Terminal(user) as terminal:
        terminal.enter(f"{LOOP} --grace 0.1 program.py")
        terminal.expect_match("Serving|version")
        terminal.hang_up()
    assert user.remaining() == []


def test_a_hang_up_that_is_ignored_from_the_beginning_ends_nothing(user: User) -> None:
    user.place.write({"program.py": SERVER})
    with Terminal(user) as terminal:
        terminal.enter(f"(trap '' HUP; exec {LOOP} -q program.py) &")
        terminal.expect("Serving version 1")
        terminal.enter("kill -HUP $!")
        terminal.expect_prompt()
        user.place.write({"program.py": SERVER.replace("version 1", "version 2")})
        terminal.expect("Serving version 2")
        terminal.enter("kill $!; wait $!")
        terminal.expect("wait")
        terminal.expect_match(r"\[143\]> ")
