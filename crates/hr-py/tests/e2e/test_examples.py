"""The README's example and the walk-through of `fixtures/mypackage` work as they are written."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from harness.environment import FIXTURES, REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from harness.user import User


def readme_example(readme: Path) -> str:
    blocks: list[str] = re.findall(r"^```python\n(.*?)^```", readme.read_text(), re.MULTILINE | re.DOTALL)
    return next(block for block in blocks if "isolate_imports" in block and "context3" in block)


def test_the_example_in_the_readme(user: User) -> None:
    user.environment.install_external_package()
    user.place.write({"my_package/__init__.py": "", "my_package/prices.py": "import external_package, json\n"})
    script = user.place.project / "example.py"
    script.write_text(readme_example(REPOSITORY / "README.md"))
    done = user.run_script(script.name)
    assert done.returncode == 0, done.stderr
    seen = [
        re.fullmatch(r"Running with value: (\d) \(pid: (\d+), parent_pid: (\d+)\)", line)
        for line in done.stdout.splitlines()
    ]
    values = sorted(line[1] for line in seen if line)
    pids = {line[2] for line in seen if line}
    parents = {line[3] for line in seen if line}
    assert values == ["1", "2", "3"], done.stdout
    assert len(pids) == 3, "every run is a process of its own"
    assert len(parents) == 1, "no import changed, so one template forks all runs"


def test_the_walk_through_of_mypackage(user: User) -> None:
    """As a developer has it: the package is installed editable, and its library is installed for good."""
    user.environment.install_external_package()
    source = user.place.project / "src"
    shutil.copytree(FIXTURES / "mypackage" / "src", source, ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    (user.environment.site_packages / "mypackage.pth").write_text(f"{source}\n")
    done = user.run_script("walkthrough.py", "--edit")
    assert done.returncode == 0, done.stderr
    assert [f"Running with value: {value}" in done.stdout for value in (1, 2, 3, 4)] == [True] * 4
    assert "nothing was edited: changed=False" in done.stdout
    assert "the template is still the same" in done.stdout
    assert "external_package" in done.stdout.partition("\n")[0]
    assert "result 'Hello from the shop'" in done.stdout
    assert "result 'Good day from the shop'" in done.stdout
