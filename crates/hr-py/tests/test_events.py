"""What is told while a template is built: to programs, and to people."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import time
from typing import TYPE_CHECKING, Any

from harness import processes

if TYPE_CHECKING:
    from harness.user import User

APP = {
    "app/__init__.py": "",
    "app/main.py": "import calm_library\nimport raising_library\n\ndef answer():\n    return 42\n",
}

LIBRARIES = {
    "calm_library.py": "",
    "late_library.py": "",
    "raising_library.py": "raise RuntimeError('needs a configuration')\n",
    "thread_library.py": (
        "import threading\nthreading.Thread(target=threading.Event().wait, name='worker', daemon=True).start()\n"
    ),
    "slow_library.py": "import time\ntime.sleep(1.5)\n",
}


def install(user: User) -> None:
    for name, text in LIBRARIES.items():
        (user.environment.site_packages / name).write_text(text)


def fields(events: list[tuple[str, dict[str, Any]]], kind: str) -> list[dict[str, Any]]:
    return [event for name, event in events if name == kind]


def test_a_program_is_told_what_happens(user: User) -> None:
    install(user)
    user.place.write(APP)
    done = user.run_script("events.py")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    opened = told["open"]
    imported = {event["module"]: event for event in fields(opened, "ModuleImported")}
    assert imported.keys() == {"calm_library", "thread_library"}
    assert imported["calm_library"]["effects"] == []
    assert imported["thread_library"]["effects"] == ["leaves threads running: worker"]
    assert [imported[name]["index"] for name in ("calm_library", "thread_library")] == [1, 3]
    assert {event["total"] for event in imported.values()} == {3}
    [excluded] = fields(opened, "ModuleExcluded")
    assert (excluded["module"], excluded["index"]) == ("raising_library", 2)
    assert excluded["cause"] == "raises RuntimeError: needs a configuration"
    assert {event["module"] for event in fields(opened, "ImportStarted")} == {*imported, "raising_library"}
    name, ready = opened[-1]
    assert (name, ready["imported"], ready["excluded"]) == ("TemplateReady", 2, 1)
    assert {module for module, _ in ready["slowest"]} == imported.keys()
    assert told["nothing changed"] == []
    assert [event["module"] for event in fields(told["update"], "ModuleImported")] == ["late_library"]
    assert told["refused"]


SCRIPT = """\
import sys
from hotreload import isolate_imports
with isolate_imports("app") as environment:
    environment.communicate_isolated(environment.exec(print, "from a run", file=None))
"""


def test_a_slow_build_ends_with_one_line(user: User) -> None:
    install(user)
    user.place.write({**APP, "app/slow.py": "import slow_library\n", "script.py": SCRIPT})
    done = user.run_script("script.py")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "raising_library" not in line]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("hr  template ready after ")
    assert "2 modules, slowest: slow_library 1." in lines[0]


def test_on_a_terminal_progress_is_gone_before_a_run_writes(user: User) -> None:
    install(user)
    user.place.write({**APP, "app/slow.py": "import slow_library\n", "script.py": SCRIPT})
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [user.environment.python, "script.py"],
        cwd=user.place.project,
        env={**user.variables(), "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    user.children.add(child.pid)
    os.close(theirs)
    text = read_all(ours)
    assert child.wait(processes.LIMIT) == 0, text
    assert "hr  importing slow_library for 1 s (limit 120 s)" in text
    assert "from a run" in screen(text)
    assert [line for line in screen(text) if "importing" in line] == [], "what was written over is gone"


def read_all(terminal: int) -> str:
    """What was written to a terminal until nobody had it open any more."""
    deadline = time.monotonic() + processes.LIMIT
    read = b""
    try:
        while True:
            readable, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
            assert readable, read
            read += os.read(terminal, 65536)
    except OSError:  # how Linux tells of the end
        return read.decode()
    finally:
        os.close(terminal)


def screen(text: str) -> list[str]:
    """Lines as one would see them: a carriage return goes back to where the line began."""
    lines = []
    for line in text.replace("\r\n", "\n").split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown.rstrip())
    return lines
