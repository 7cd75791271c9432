"""A program that is run cannot tell itself from one that an interpreter was started for, and neither can its caller."""

from __future__ import annotations

import re
import shutil
import subprocess
import textwrap
import zipfile
from typing import TYPE_CHECKING

import pytest
from harness.ends import AT_EVERY_START, ENDS
from harness.environment import PYTEST
from harness.user import PROGRAMS

if TYPE_CHECKING:
    from harness.user import User

KINDS = {
    "script": ["program.py", "one", "--two=2"],
    "script elsewhere": ["./scripts/program.py"],
    "module": ["-m", "program", "one"],
    "package": ["-m", "package", "-m", "x"],
    "module of a package": ["-m", "package.inner"],
    "directory": ["folder", "one"],
    "archive": ["archive.zip"],
}
"""How a program is started."""

FAILURES = {
    "no module": ["-m", "nothing_of_that_name"],
    "no module in a package": ["-m", "package.nothing"],
    "no package": ["-m", "program.nothing"],
    "package without a program": ["-m", "silent"],
    "error in a package": ["-m", "broken"],
    "unknown encoding": ["encoded.py"],
    "not utf-8": ["latin.py"],
    "latin-1, declared": ["declared.py"],
    "null byte": ["null.py"],
    "syntax": ["syntax.py"],
    "indentation": ["package/indented.py"],
}
"""Programs that do not come to their first line, or hardly."""


def write_programs(user: User, end: str) -> None:
    lines = textwrap.indent(textwrap.dedent(end).strip(), "    ") or "    pass"
    text = (PROGRAMS / "introspection.py").read_text(encoding="utf-8") + lines + "\n"
    places = ["program.py", "scripts/program.py", "package/__main__.py", "package/inner.py", "folder/__main__.py"]
    for cache in user.place.project.rglob("__pycache__"):
        shutil.rmtree(cache)  # an interpreter may take it for that of a source as long and as young
    user.place.write({"package/__init__.py": "", **dict.fromkeys(places, text)})
    with zipfile.ZipFile(user.place.project / "archive.zip", "w") as archive:
        archive.writestr("__main__.py", text)


def ended(done: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    def without_what_varies(text: str) -> str:
        return re.sub(r"0x[0-9a-f]+|\d{5,}|[\d.]+s\b", "…", text)

    return done.returncode, without_what_varies(done.stdout), without_what_varies(done.stderr)


def both(user: User, words: list[str], run: list[str] | None = None) -> list[tuple[int, str, str]]:
    """How a program ends that an interpreter was started for, and how a run of it does, if need be by other words."""
    environment = {**user.variables(), "PYTHONHASHSEED": "0"}
    environment.pop("PYTHONFAULTHANDLER")
    commands = [
        [str(user.environment.python), *words],
        [
            str(user.environment.folder / "bin" / "hr"),
            *["run", "--no-reload", "-q", "--python", str(user.environment.python)],
            *(run or words),
        ],
    ]
    return [
        ended(
            subprocess.run(
                command,
                cwd=user.place.project,
                env=environment,
                input="first\nrest\n",
                capture_output=True,
                text=True,
                errors="replace",
                timeout=60,
                check=False,
            )
        )
        for command in commands
    ]


def ends_as_in_an_interpreter(user: User, words: list[str], end: str, name: str) -> None:
    write_programs(user, end)
    held = user.place.home / "held"
    held.unlink(missing_ok=True)
    cold, run = both(user, words)
    assert run == cold, name
    assert not held.exists() or held.read_text() == "written"


@pytest.mark.parametrize("subject", ENDS)
def test_a_run_ends_as_in_an_interpreter(user: User, subject: str) -> None:
    for name, end in ENDS[subject].items():
        ends_as_in_an_interpreter(user, KINDS["script"], end, name)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_begun_as_by_an_interpreter(user: User, kind: str) -> None:
    for subject, name in AT_EVERY_START:
        ends_as_in_an_interpreter(user, KINDS[kind], ENDS[subject][name], name)


def test_children_find_the_modules_of_a_module(user: User) -> None:
    # Those of a package, a directory or an archive would not, in any interpreter, and would be started for ever.
    for kind in ("module", "module of a package"):
        for name in ("by spawn", "by forkserver"):
            ends_as_in_an_interpreter(user, KINDS[kind], ENDS["children"][name], f"{kind}: {name}")


def test_commands_are_those_that_an_interpreter_would_run(user: User) -> None:
    user.environment.link(*PYTEST)
    script = user.environment.folder / "bin" / "introspect"
    script.write_text(f"#!{user.environment.python}\nimport sys\nfrom program import main\nsys.exit(main())\n")
    script.chmod(0o755)
    write_programs(user, "sys.exit(2)")
    user.place.write(
        {
            "program.py": "import sys\ndef main():\n    print(sys.argv, __name__, sys.path)\n    return 1 / 0\n",
            "test_both.py": """
                import os, sys, unittest
                class Both(unittest.TestCase):
                    def test_right(self):
                        print(sys.argv, sys.path, __name__, os.getcwd())
                    def test_wrong(self):
                        self.assertEqual(1, 2)
                """.replace("\n" + " " * 16, "\n"),
        }
    )
    for words in (["-m", "unittest"], ["-m", "unittest", "-v", "test_both"], ["-m", "pytest", "-qrA", "--color=yes"]):
        cold, run = both(user, words)
        assert run == cold, words
        assert "AssertionError" in cold[1] + cold[2]
    (user.place.project / "program.py").rename(user.environment.site_packages / "program.py")
    cold, run = both(user, [str(script), "one"], ["introspect", "one"])
    assert run == cold
    assert "ZeroDivisionError" in cold[2]


def test_what_cannot_be_run_is_refused_as_by_an_interpreter(user: User) -> None:
    write_programs(user, "")
    user.place.write(
        {
            "silent/__init__.py": "",
            "broken/__init__.py": "import nothing_of_that_name",
            "broken/__main__.py": "",
            "encoded.py": "# coding: of-nobody\nprint(1)\n",
            "null.py": "print(1)\n\0\n",
            "syntax.py": "print(1)\n\nif x\n    pass\n",
            "package/indented.py": "if 1:\nprint(1)\n",
        }
    )
    latin = "print('é', 1 / 0)\n".encode("latin-1")
    (user.place.project / "latin.py").write_bytes(latin)
    (user.place.project / "declared.py").write_bytes(b"# coding: latin-1\n" + latin)
    for name, words in FAILURES.items():
        cold, run = both(user, words)
        assert run == cold, name
