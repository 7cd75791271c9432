"""A small project for tests of the interface."""

APP = {
    "app/__init__.py": "",
    "app/main.py": '''\
import json
import os
import signal
import sys


def answer(value=42):
    return value


def pids():
    return os.getpid(), os.getppid()


def wait_for_ever(announcement):
    """Says that it runs, and never ends by itself."""
    with open(announcement, "w") as pipe:
        pipe.write(str(os.getpid()))
    while True:
        signal.pause()


def wait_for_line(pipe):
    """Ends when somebody writes to a named pipe."""
    with open(pipe) as lines:
        return lines.readline()


def ask():
    return input("name? ")


def fork():
    """Forks like any program; only the parent returns a result."""
    child = os.fork()
    if child == 0:
        os._exit(5)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def fork_and_return():
    """Forks, and lets the child return from here as well, as careless programs do."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    return "parent" if child else "child"
''',
}
"""Files of the project, by path."""
