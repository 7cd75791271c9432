"""A program that is run cannot tell itself from one that an interpreter was started for, and neither can its caller."""

from __future__ import annotations

import re
import shutil
import subprocess
import textwrap
import zipfile
from typing import TYPE_CHECKING

import pytest
from harness.user import PROGRAMS

if TYPE_CHECKING:
    from harness.user import User

ENDS = {
    "nothing": "",
    "exception at depth": """
        def sink(depth):
            return 1 / 0 if depth == 0 else sink(depth - 1)
        sink(5)
        """,
    "chained exceptions": """
        try:
            {}["key"]
        except KeyError as error:
            raise RuntimeError("wrapped") from error
        """,
    "syntax error": "compile('if x\\n', 'somewhere.py', 'exec')",
    "missing module": "import module_that_nobody_has",
    "exit without code": "sys.exit()",
    "exit with a code": "sys.exit(3)",
    "exit with a negative code": "sys.exit(-1)",
    "exit with a large code": "sys.exit(1000)",
    "exit with a truth value": "sys.exit(True)",
    "exit with a text": "sys.exit('said at the end')",
    "exit with an object": "sys.exit(['said', 'at the end'])",
    "exit within exit": """
        import atexit
        atexit.register(lambda: print("registered", __name__, globals().get("__file__")))
        sys.exit(4)
        """,
    "leave at once": "print('lost'); os._exit(5)",
    "interrupt": "import atexit; atexit.register(print, 'cleaned up'); raise KeyboardInterrupt",
    "interrupt by signal": "os.kill(os.getpid(), signal.SIGINT); signal.pause()",
    "terminate": "os.kill(os.getpid(), signal.SIGTERM); signal.pause()",
    "terminate gracefully": """
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(6))
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
        """,
    "exception at the end": "import atexit; atexit.register(lambda: 1 / 0)",
    "hook for exceptions": "sys.excepthook = lambda kind, *_: print('hooked', kind.__name__); 1 / 0",
    "broken hook": "sys.excepthook = lambda *_: {}['hook']; 1 / 0",
    "threads": """
        import time
        def late():
            time.sleep(0.05)
            print("late", __name__)
        threading.Thread(target=late).start()
        threading.Thread(target=sys.exit, args=(7,)).start()
        print("main is done")
        """,
    "exception in a thread": """
        thread = threading.Thread(target=lambda: 1 / 0, name="worker")
        thread.start()
        thread.join()
        """,
    "file that is not closed": """
        held = open(os.path.join(os.environ["HOME"], "held"), "w")
        held.write("written")
        """,
    "finalizer": """
        class Owner:
            def __del__(self):
                print("finalized")
        owner = Owner()
        """,
    "stack of a warning": "import warnings; warnings.warn('from above', stacklevel=2)",
    "depth": """
        def count(depth=0):
            try:
                return count(depth + 1)
            except RecursionError:
                return depth
        print(count())
        """,
    "full device": "sys.stdout = open('/dev/full', 'w'); print('never written')",
    "input": "print(repr(input('name? ')), sys.stdin.read())",
    "children by spawn": """
        import multiprocessing
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            print(pool.map(work, [1, 2]))
        """,
    "children by forkserver": """
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("forkserver")) as pool:
            print(list(pool.map(work, [1, 2])))
        """,
    "other programs": """
        import subprocess
        print(subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True, text=True, check=True))
        """,
    "event loop": """
        import asyncio
        async def main():
            await asyncio.sleep(0)
            raise ValueError("in the loop")
        asyncio.run(main())
        """,
    "itself again": """
        if "again" not in sys.argv:
            sys.stdout.flush()
            os.execv(sys.executable, [*sys.orig_argv, "again"])
        """,
}
"""What a program does once it has told what it sees."""

WITHOUT_A_FILE = ("children by spawn", "children by forkserver")
"""What hangs in any interpreter: children do not find the `__main__` of a directory or an archive."""

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
    def without_addresses(text: str) -> str:
        return re.sub(r"0x[0-9a-f]+|\d{5,}", "…", text)

    return done.returncode, without_addresses(done.stdout), without_addresses(done.stderr)


def both(user: User, words: list[str]) -> list[tuple[int, str, str]]:
    """How a program ends that an interpreter was started for, and how a run of it does."""
    environment = {**user.variables(), "PYTHONHASHSEED": "0"}
    environment.pop("PYTHONFAULTHANDLER")
    commands = [
        [str(user.environment.python), *words],
        [
            str(user.environment.folder / "bin" / "hr"),
            *["run", "--no-reload", "-q", "--python", str(user.environment.python)],
            *words,
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


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_the_program_that_an_interpreter_would_be(user: User, kind: str) -> None:
    for name, end in ENDS.items():
        if name in WITHOUT_A_FILE and kind in ("directory", "archive"):
            continue
        write_programs(user, end)
        held = user.place.home / "held"
        held.unlink(missing_ok=True)
        cold, run = both(user, KINDS[kind])
        assert run == cold, f"{kind}: {name}"
        assert not held.exists() or held.read_text() == "written"


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
