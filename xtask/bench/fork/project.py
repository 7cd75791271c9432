"""The project that is measured: a package that imports the modules of one template."""

from pathlib import Path

RUNS = """
import time

import app

def first_line():
    return app.FIRST_LINE

def moment():
    return time.monotonic()

def nothing():
    pass

def wait(announcement, release):
    with open(announcement, "w") as pipe:
        pipe.write("here")
    with open(release) as pipe:
        pipe.read()
"""


def write(folder: Path, modules: list[str], size: int = 0) -> Path:
    """Write the project, with ``size`` more modules; returns the file that imports."""
    package = folder / "app"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text("import time\nFIRST_LINE = time.monotonic()\n")
    (package / "runs.py").write_text(RUNS)
    for number in range(size):
        (package / f"module_{number}.py").write_text(f"import json\nfrom app import runs\n\nNUMBER = {number}\n")
    libraries = package / "libraries.py"
    libraries.write_text("".join(f"import {module}\n" for module in modules))
    return libraries
