"""A program under ``hr run`` has the terminal as it would have it under ``python``: keys, jobs, settings, pipes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from harness import processes
from harness.terminal import (
    CTRL_BACKSLASH,
    CTRL_C,
    CTRL_D,
    CTRL_Z,
    LOOP,
    ONCE,
    PYTHON,
    UP,
    Terminal,
    needs_shell,
)
from harness.terminal_programs import (
    DEBUGGED,
    ECHO,
    FULL_SCREEN,
    HANDLER,
    INTERPRETER,
    JOBS,
    PLAIN_SERVER,
    QUESTION,
    RAW,
    SERVER,
    SIZE,
    STUBBORN,
    WHISPERED,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.user import User

pytestmark = needs_shell

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


@scene(WHISPERED)
def a_password_is_not_shown(terminal: Terminal) -> None:
    terminal.expect("Password: ")
    terminal.enter("secret")
    assert "secret" not in terminal.expect("got secret")


@scene(WHISPERED)
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
    """Without the echo of keys that send signals, which may come before or after what they bring about."""
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
        terminal.enter(f"{LOOP} -q program.py")
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
