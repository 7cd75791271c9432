"""Measures one template: forks of it, runs in it, and what they are compared with. Prints samples as JSON.

Usage: fork.py TEMPLATE. The answer is
{"excluded": [...], "no_firehot": reason, "samples": [[measure, [number, ...]], ...]}; times are seconds.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

TEMPLATES = {
    "small": ["json", "logging", "argparse"],
    "web": ["fastapi", "sqlalchemy.orm"],
    "django": ["django.http", "django.urls", "django.template", "django.forms", "django.db.models"],
    "data": ["pandas", "sklearn.linear_model"],
}
ADDED = "httpx"
"""What an edit imports in addition; none of the templates has it."""

BUILDS = 5
PLAIN_IMPORTS = 5
RUNS = 40
SUSTAINED = 60
ROUNDS = 5
"""Times that so many sustained runs are measured, and the memory of one."""
UPDATES = 30
LIMIT = 120
"""Seconds that one comparison may take."""

FIREHOT_LIMIT = 60
"""Seconds that firehot may take, which can hang."""

PAUSE = 0.05
"""Seconds between two single runs: as between two commands of a person, there is time for the next spare."""

PLAIN_IMPORT = """
import time
started = time.perf_counter()
import {modules}
imported = time.perf_counter()
import {added}
print([imported - started, time.perf_counter() - imported])
"""

BARE_FORKS = """
import os, time
import {modules}
taken = []
for _ in range({runs}):
    started = time.perf_counter()
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    taken.append(time.perf_counter() - started)
print(taken)
"""

FORKSERVER = """
import multiprocessing, time

def nothing():
    pass

if __name__ == "__main__":
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload({preload})
    taken = []
    for _ in range({runs} + 1):
        started = time.perf_counter()
        process = context.Process(target=nothing)
        process.start()
        process.join()
        taken.append(time.perf_counter() - started)
    print(taken[1:])  # the first one starts the server
"""

FIREHOT = """
import json, sys, time
sys.path.insert(0, {folder!r})
import firehot
from app.runs import moment

if __name__ == "__main__":
    opening, first, result = [], [], []
    started = time.monotonic()
    with firehot.isolate_imports("app") as environment:
        opening.append(time.monotonic() - started)
        for _ in range({runs}):
            time.sleep({pause})
            started = time.monotonic()
            answer = float(environment.communicate_isolated(environment.exec(moment)))
            first.append(answer - started)
            result.append(time.monotonic() - started)
    print("samples", json.dumps([opening, first, result]))
"""

RUN = """
import os, time

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


def in_a_process(folder: Path, source: str, **values: object) -> list[float]:
    """Samples that a program of its own prints."""
    script = folder / "compared.py"
    script.write_text(source.format(**values))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=LIMIT, check=True)
    return json.loads(done.stdout)


def compared(folder: Path, modules: list[str]) -> dict[str, list[float]]:
    """What others take for the same modules."""
    names = ", ".join(modules)
    in_a_process(folder, PLAIN_IMPORT, modules=names, added=ADDED)  # writes bytecode
    imports = [in_a_process(folder, PLAIN_IMPORT, modules=names, added=ADDED) for _ in range(PLAIN_IMPORTS)]
    return {
        "plain import": [first for first, _ in imports],
        "plain import of an addition": [second for _, second in imports],
        "bare fork": in_a_process(folder, BARE_FORKS, modules=names, runs=RUNS),
        "forkserver": in_a_process(folder, FORKSERVER, preload=modules, runs=RUNS),
    }


def firehot(folder: Path, modules: list[str]) -> tuple[dict[str, list[float]], str]:
    """What firehot takes for the same project, or the reason why there is no result."""
    write_project(folder, modules)
    script = folder / "compared.py"
    script.write_text(FIREHOT.format(folder=str(folder), runs=RUNS, pause=PAUSE))
    # It starts whatever interpreter is called `python`.
    path = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    child = subprocess.Popen(
        [sys.executable, script],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        stdout, stderr = child.communicate(timeout=FIREHOT_LIMIT)
    except subprocess.TimeoutExpired:
        return {}, f"it had not ended after {FIREHOT_LIMIT} s"
    finally:
        # Its processes may outlive it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        script.unlink()
    for line in stdout.splitlines():
        if line.startswith("samples "):
            opening, first, result = json.loads(line.removeprefix("samples "))
            return {"open, firehot": opening, "first bytecode, firehot": first, "result, firehot": result}, ""
    return {}, (stderr.strip().splitlines() or [f"it ended with {child.returncode}"])[-1]


def write_project(folder: Path, modules: list[str]) -> Path:
    """A package that imports just these modules; returns the file that does."""
    package = folder / "app"
    package.mkdir(exist_ok=True)
    (package / "__init__.py").write_text("")
    (package / "runs.py").write_text(RUN)
    libraries = package / "libraries.py"
    libraries.write_text("".join(f"import {module}\n" for module in modules))
    return libraries


def builds(hotreload, folder: Path, modules: list[str]) -> tuple[dict[str, list[float]], list[str]]:
    """Entering the block, an update that finds nothing, and one that adds a library."""
    taken: dict[str, list[float]] = {
        "open, nothing to import": [],
        "open": [],
        "build (open less an empty one)": [],
        "update, nothing new": [],
        "layer": [],
    }
    excluded: list[str] = []
    for number in range(BUILDS):
        for measure, imported in (("open, nothing to import", []), ("open", modules)):
            libraries = write_project(folder, imported)
            started = time.monotonic()
            with hotreload.isolate_imports("app") as environment:
                taken[measure].append(time.monotonic() - started)
                if imported:
                    excluded = [entry.module for entry in environment.excluded]
                    for _ in range(UPDATES if number == 0 else 0):
                        started = time.monotonic()
                        assert not environment.update_environment()
                        taken["update, nothing new"].append(time.monotonic() - started)
                    with libraries.open("a") as file:
                        file.write(f"import {ADDED}\n")
                    started = time.monotonic()
                    assert environment.update_environment().changed
                    taken["layer"].append(time.monotonic() - started)
        taken["build (open less an empty one)"].append(taken["open"][-1] - taken["open, nothing to import"][-1])
    return taken, excluded


def runs(hotreload, folder: Path, modules: list[str], spares: int) -> dict[str, list[float]]:
    """Single runs, sustained runs, and the memory of one that waits."""
    write_project(folder, modules)
    from app.runs import moment

    first, result = [], []
    with hotreload.isolate_imports("app", spares=spares) as environment:
        for _ in range(RUNS):
            time.sleep(PAUSE)
            started = time.monotonic()
            first.append(environment.communicate_isolated(environment.exec(moment)) - started)
            result.append(time.monotonic() - started)
        label = "with a spare" if spares else "without spares"
        samples = {f"first bytecode, {label}": first, f"result, {label}": result}
        for threads, callers in ((1, "1 caller"), (4, "4 callers")):
            samples[f"runs per second, {callers}, {label}"] = [sustained(environment, threads) for _ in range(ROUNDS)]
        samples[f"private memory of a run, {label}"] = [private_share(environment, folder) for _ in range(ROUNDS)]
    return samples


def sustained(environment, threads: int) -> float:
    """Runs per second of a function that does nothing."""
    from app.runs import nothing

    def work() -> None:
        for _ in range(SUSTAINED // threads):
            environment.communicate_isolated(environment.exec(nothing))

    callers = [threading.Thread(target=work) for _ in range(threads)]
    started = time.monotonic()
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    return SUSTAINED // threads * threads / (time.monotonic() - started)


def private_share(environment, folder: Path) -> float:
    """Memory that a waiting run has for itself, as a share of all that its template has resident."""
    from app.runs import wait

    pipes = [folder / "announcement", folder / "release"]
    for pipe in pipes:
        os.mkfifo(pipe)
    process = environment.exec(wait, *map(str, pipes))
    pipes[0].read_text()
    run, template = memory(process.pid), memory(environment.template_pid)
    pipes[1].write_text("")
    environment.communicate_isolated(process)
    for pipe in pipes:
        pipe.unlink()
    return (run["Private_Clean"] + run["Private_Dirty"]) / template["Rss"]


def memory(pid: int) -> dict[str, int]:
    """Kilobytes by kind, from the kernel's summary of a process."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {line.partition(":")[0]: int(line.split()[1]) for line in lines}


def main() -> None:
    import hotreload

    modules = TEMPLATES[sys.argv[1]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chdir(folder)
        sys.path.insert(0, name)
        samples = compared(folder, modules)
        (folder / "compared.py").unlink()
        built, excluded = builds(hotreload, folder, modules)
        samples |= built
        for spares in (0, 1):
            samples |= runs(hotreload, folder, modules, spares)
        compared_samples, no_result = firehot(folder, modules)
        samples |= compared_samples
    print(json.dumps({"excluded": excluded, "no_firehot": no_result, "samples": list(samples.items())}))


if __name__ == "__main__":
    main()
