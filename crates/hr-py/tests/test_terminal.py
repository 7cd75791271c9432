"""A program under ``hr run`` has the terminal as it would have it under ``python``: keys, jobs, settings, pipes."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from harness import processes
from harness.terminal import BASH, CTRL_BACKSLASH, CTRL_C, CTRL_D, CTRL_Q, CTRL_S, CTRL_Z, UP, Terminal

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
os.write(1, b"Serving version 1\\n")
signal.sigwait([])
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


Scene = "Callable[[Terminal, str], None]"
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
    terminal.type(CTRL_D)


@scene(PASSWORD)
def a_password_is_not_shown(terminal: Terminal) -> None:
    terminal.expect("Password: ")
    terminal.enter("secret")
    assert "secret" not in terminal.expect("got secret")


@scene(PASSWORD)
def a_password_is_not_given(terminal: Terminal) -> None:
    terminal.expect("Password: ")
    terminal.type(CTRL_C)


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
    terminal.type(CTRL_C)
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
    terminal.type(CTRL_D)


@scene(SERVER)
def a_server_cleans_up_when_interrupted(terminal: Terminal) -> None:
    terminal.expect("Serving version 1")
    terminal.type(CTRL_C)
    terminal.expect("over")


@scene(PLAIN_SERVER)
def a_server_is_interrupted(terminal: Terminal) -> None:
    terminal.expect("Serving version 1")
    terminal.type(CTRL_C)


@scene(HANDLER)
def a_handler_takes_an_interrupt(terminal: Terminal) -> None:
    terminal.expect("Serving")
    terminal.type(CTRL_C)


@scene(HANDLER)
def a_handler_takes_a_quit(terminal: Terminal) -> None:
    terminal.expect("Serving")
    terminal.type(CTRL_BACKSLASH)


@scene("import os, signal\nos.write(1, b'Serving\\n')\nwhile True: signal.pause()\n")
def a_server_quits(terminal: Terminal) -> None:
    terminal.expect("Serving")
    terminal.type(CTRL_BACKSLASH)


@scene(ECHO)
def a_job_is_stopped_and_goes_on(terminal: Terminal) -> None:
    terminal.expect("version 1")
    terminal.enter("a")
    terminal.expect("got a")
    terminal.type(CTRL_Z)
    terminal.expect_prompt()
    assert terminal.run("echo in the shell") == (0, "in the shell")
    terminal.enter("fg")
    terminal.enter("b")
    terminal.expect("got b")
    terminal.type(CTRL_D)


@scene(SIZE)
def a_window_changes_its_size(terminal: Terminal) -> None:
    terminal.expect("size 200 24")
    terminal.resize(30, 100)
    terminal.expect("size 100 30")
    terminal.type(CTRL_BACKSLASH)
    terminal.resize(24, 200)


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
