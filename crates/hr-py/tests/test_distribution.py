"""What the wheel brings."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
from pathlib import Path

import hotreload


def installed(name: str) -> Path:
    files = importlib.metadata.files("hotreload") or []
    return Path(str(next(file.locate() for file in files if file.name == name))).resolve()


def test_the_interface_is_exactly_what_is_documented() -> None:
    assert sorted(hotreload.__all__) == [
        "BuildEvent",
        "EnvironmentClosed",
        "ExcludedModule",
        "HotreloadError",
        "ImportContinues",
        "ImportStarted",
        "IsolatedEnvironment",
        "IsolatedProcess",
        "ModuleExcluded",
        "ModuleImported",
        "Problem",
        "RunExited",
        "RunTraceback",
        "SupervisorDied",
        "TemplateReady",
        "UnpicklableError",
        "UpdateReport",
        "isolate_imports",
    ]
    assert [name for name in hotreload.__all__ if not getattr(hotreload, name).__doc__] == []


def test_errors_have_the_documented_bases() -> None:
    for error in (hotreload.RunExited, hotreload.SupervisorDied, hotreload.EnvironmentClosed):
        assert issubclass(error, hotreload.HotreloadError)
    assert issubclass(hotreload.UnpicklableError, (hotreload.HotreloadError, TypeError))
    assert issubclass(hotreload.RunTraceback, Exception)


def test_the_wheel_brings_types_and_one_extension_for_all_versions() -> None:
    assert installed("py.typed").is_file()
    assert installed("_native.pyi").is_file()
    assert installed("_native.abi3.so").is_file()
    metadata = importlib.metadata.metadata("hotreload")
    assert metadata["Requires-Python"] == ">=3.10"
    assert importlib.metadata.requires("hotreload") == ["cloudpickle>=3.0"]


def test_the_wheel_brings_the_native_program() -> None:
    program = installed("hr")
    assert os.access(program, os.X_OK)
    assert program.read_bytes()[:4] == b"\x7fELF"
    done = subprocess.run([program, "--version"], check=True, capture_output=True, text=True)
    assert done.stdout.split()[:1] == ["hr"]
