"""`hr verify`: whether a run is what a process started afresh would be."""

from __future__ import annotations

import json
import venv
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from harness.user import User

LIBRARY = """\
import logging, random, threading, warnings
import os
warnings.filterwarnings("ignore", category=ResourceWarning)
os.environ["LIBRARY_LOADED"] = "yes"
logging.getLogger("library").addHandler(logging.NullHandler())
"""

PROJECT = {
    "app/__init__.py": "",
    "app/main.py": "import sys\nimport library\nfrom app import settings\nsys.argv.append('seen')\n",
    "app/settings.py": "import decimal\ndecimal.getcontext().prec = 40\n",
}


def verified(user: User, *arguments: str, **variables: str) -> tuple[int, dict[str, Any]]:
    done = user.run_hr("verify", "--format", "json", *arguments, **variables)
    assert done.returncode in (0, 1), done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["identical"] == (done.returncode == 0) == (document["differences"] == [])
    return done.returncode, document


def prepare(user: User, project: dict[str, str], **libraries: str) -> None:
    user.place.write(project)
    user.environment.install_files({f"{name}.py": text for name, text in libraries.items()})


def different(document: dict[str, Any]) -> set[str]:
    return {f"{one['section']}: {one['name']}" for one in document["differences"]}


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"LC_ALL": "C", "PYTHONUTF8": "0"},
        {"LC_ALL": "", "LANG": ""},
        {"PYTHONUNBUFFERED": "1"},
        {"PYTHONSAFEPATH": "1", "PYTHONPATH": "."},
        {"PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1", "TZ": "Asia/Tokyo"},
    ],
)
def test_a_run_is_what_a_fresh_process_is(user: User, variables: dict[str, str]) -> None:
    prepare(user, PROJECT, library=LIBRARY)
    _, document = verified(user, "app.main", **variables)
    assert document["differences"] == []
    assert document["imports"] == "done"
    expected = {f"{one['section']}: {one['name']}": one["reason"] for one in document["expected"]}
    assert expected["modules: hotreload"] == "hotreload's own"
    assert all(expected.values())


def test_what_a_library_does_that_only_a_template_imports_is_told(user: User) -> None:
    library = LIBRARY + "import locale, sys\nsys.path.append('/library/plugins')\nsys.setrecursionlimit(5000)\n"
    prepare(user, {"app.py": "def later():\n    import library\n"}, library=library)
    status, document = verified(user, "app")
    assert status == 1
    assert different(document) == {
        "environment: LIBRARY_LOADED",
        "interpreter: recursion limit",
        "logging: library",
        "search path: sys.path",
        "warnings: filters",
    }
    by_name = {one["name"]: one for one in document["differences"]}
    assert by_name["LIBRARY_LOADED"]["fresh"] is None
    assert by_name["LIBRARY_LOADED"]["run"] == "yes"
    assert by_name["recursion limit"]["run"] == "5000"
    done = user.run_hr("verify", "app")
    assert done.returncode == 1
    assert "only run    /library/plugins" in done.stdout
    assert "  library  for a function: app.py:2\n" in done.stdout
    assert document["ahead"] == [{"module": "library", "file": "app.py", "line": 2}]


def test_what_every_start_draws_anew_every_run_must_draw_anew(user: User) -> None:
    drawing = "import os, secrets\nos.environ['LIBRARY_TOKEN'] = secrets.token_hex()\n"
    prepare(user, {"app.py": "import library, random\n"}, library=drawing)
    status, document = verified(user, "app")
    assert status == 1
    assert different(document) == {"environment: LIBRARY_TOKEN"}
    assert document["differences"][0]["problem"] == "fresh processes are unlike each other, and runs are not"
    user.place.write({"app.py": "import os, random, secrets\nos.environ['TOKEN'] = secrets.token_hex()\n"})
    assert verified(user, "app")[0] == 0, "it is drawn by the program itself"
    user.place.write({"app.py": "import random\nrandom.seed(7)\n"})
    assert verified(user, "app")[0] == 0, "it is the same everywhere"


def test_a_script_is_imported_and_not_run(user: User) -> None:
    script = """\
import pathlib, sys
pathlib.Path("imported").write_text(f"{__name__} {sys.argv}")
if __name__ == "__main__":
    pathlib.Path("run").touch()
"""
    prepare(user, {"tools/script.py": script + "import beside\n", "tools/beside.py": ""})
    status, document = verified(user, "tools/script.py", "--verbose", "x")
    assert document["differences"] == []
    assert status == 0
    assert (user.place.project / "imported").read_text() == "__mp_main__ ['tools/script.py', '--verbose', 'x']"
    assert not (user.place.project / "run").exists()


def test_what_looks_at_a_run_teaches_nothing(user: User) -> None:
    prepare(user, {"app.py": "import json\n", "script.py": "import json\n"})
    for entry in ("app", "script.py"):
        assert verified(user, entry)[0] == 0
        done = user.run_hr("doctor", entry, "--format", "json")
        assert json.loads(done.stdout)["learned"] == []


def test_a_package_is_its_main_module_if_that_can_be_imported(user: User) -> None:
    main = "import pathlib\nfrom . import part\npathlib.Path('imported').touch()\n"
    guard = "if __name__ == '__main__':\n    pathlib.Path('run').touch()\n"
    prepare(
        user, {"app/__init__.py": "", "app/part.py": "import library\n", "app/__main__.py": main + guard}, library=""
    )
    status, document = verified(user, "app")
    assert document["differences"] == []
    assert status == 0
    assert (user.place.project / "imported").exists()
    assert not (user.place.project / "run").exists()
    user.place.write({"app/__main__.py": "import pathlib\npathlib.Path('run').touch()\n"})
    done = user.run_hr("verify", "app")
    assert done.returncode == 0
    assert "app/__main__.py is left out" in done.stderr
    assert not (user.place.project / "run").exists()


def test_an_interpreter_without_the_package_gets_that_of_the_program(user: User, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    venv.EnvBuilder(symlinks=True, with_pip=False).create(bare)
    prepare(user, {"app.py": "import json\n"})
    done = user.run_hr("verify", "--python", str(bare / "bin" / "python"), "app")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("program", "end"),
    [
        ("raise RuntimeError('not today')", "raised RuntimeError: not today"),
        ("import sys; sys.exit(3)", "raised SystemExit: 3"),
        ("import os; os._exit(3)", "ended the process with exit code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended the process by signal 9"),
    ],
)
def test_a_program_that_fails_must_fail_alike(user: User, program: str, end: str) -> None:
    prepare(user, {"app.py": program + "\n"})
    status, document = verified(user, "app")
    assert document["imports"] == end
    assert status == 0


@pytest.mark.parametrize("entry", [["no_such_module"], ["no/such/script.py"], ["tools/"], []])
def test_what_cannot_be_verified_is_one_error(user: User, entry: list[str]) -> None:
    prepare(user, {"tools/script.py": ""})
    done = user.run_hr("verify", *entry)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "rror: " in done.stderr
