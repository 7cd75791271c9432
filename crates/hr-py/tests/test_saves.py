"""What is saved while a program runs restarts it once, with what is there then; or not at all, if it does not count."""

from __future__ import annotations

import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.development import Development
    from harness.user import User

PRICES = "def price():\n    return {price}\n"

SHOP = {
    "app.py": """\
import signal

from shop.prices import price

print(f"the price is {price()}", flush=True)
signal.pause()
""",
    "shop/__init__.py": "",
    "shop/prices.py": PRICES.format(price=1),
}

GIT = shutil.which("git") or ""

LOUD = ("-v", "app.py")


def in_place(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def renamed_over(path: Path, text: str) -> None:
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def with_a_backup(path: Path, text: str) -> None:
    backup = path.with_name(f"{path.name}~")
    path.rename(backup)
    path.write_text(text, encoding="utf-8")
    backup.unlink()


def formatted_afterwards(path: Path, text: str) -> None:
    path.write_text(text.replace("    return", " return"), encoding="utf-8")
    path.write_text(text, encoding="utf-8")


def finish(hr: Development) -> int:
    """End the program, and tell how many times it was restarted until then, with nothing more to come."""
    hr.save("app.py", 'import signal\n\nprint("the end", flush=True)\nsignal.pause()\n')
    hr.wait_for("the end")
    hr.wait_for("hr  app.py · re")
    assert hr.end(signal.SIGTERM) == -signal.SIGTERM
    return len(hr.told("· re")) - 1


@pytest.mark.parametrize("save", [in_place, renamed_over, with_a_backup, formatted_afterwards])
def test_however_an_editor_saves_there_is_one_restart(
    user: User, develop: Callable[..., Development], save: Callable[[Path, str], None]
) -> None:
    user.place.write(SHOP)
    hr = develop("app.py")
    hr.wait_for("the price is 1")
    with hr.stopped():
        save(user.place.project / "shop/prices.py", PRICES.format(price=2))
    hr.wait_for("the price is 2")
    hr.wait_for("hr  shop/prices.py · re")
    assert finish(hr) == 1
    assert hr.told("the price is ") == ["the price is 1", "the price is 2"]


def test_many_files_saved_at_once_are_one_restart(user: User, develop: Callable[..., Development]) -> None:
    modules = [f"part{number}" for number in range(10)]
    prices = "".join(f"from shop.{module} import {module}\n" for module in modules)
    prices += f"\n\ndef price():\n    return {' + '.join(modules)}\n"
    user.place.write({**SHOP, "shop/prices.py": prices})
    user.place.write({f"shop/{module}.py": f"{module} = 1\n" for module in modules})
    hr = develop("app.py")
    hr.wait_for("the price is 10")
    with hr.stopped():
        for module in modules:
            hr.save(f"shop/{module}.py", f"{module} = 2\n")
    hr.wait_for("the price is 20")
    hr.wait_for("hr  shop/part0.py, shop/part1.py and 8 more · re")
    assert finish(hr) == 1


@pytest.mark.skipif(not GIT, reason="there is no git")
def test_a_checkout_is_one_restart_of_the_final_state(user: User, develop: Callable[..., Development]) -> None:
    modules = [f"part{number}" for number in range(200)]
    prices = "from importlib import import_module\n\n\ndef price():\n"
    prices += "    return sum(import_module(f'shop.part{number}').price for number in range(200))\n"
    user.place.write({**SHOP, "shop/prices.py": prices})

    def git(*words: str) -> None:
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=one"]
        subprocess.run(
            [GIT, *identity, *words], cwd=user.place.project, env=user.variables(), check=True, capture_output=True
        )

    git("init")
    for branch, price in (("one", 1), ("two", 2)):
        user.place.write({f"shop/{module}.py": f"price = {price}\n" for module in modules})
        git("checkout", "-B", branch)
        git("add", ".")
        git("commit", "--message", branch)
    hr = develop("app.py")
    hr.wait_for("the price is 400")
    git("checkout", "one")
    hr.wait_for("the price is 200")
    hr.wait_for("and 198 more · re")
    assert finish(hr) == 1


def test_what_changes_nothing_restarts_nothing(user: User, develop: Callable[..., Development]) -> None:
    user.place.write(SHOP)
    user.place.write({"notes.txt": ""})
    hr = develop(*LOUD)
    hr.wait_for("the price is 1")
    hr.save("shop/prices.py", PRICES.format(price="1  # in cents"))
    hr.wait_for("hr  shop/prices.py · nothing to do")
    hr.save("shop/prices.py", PRICES.format(price="1  # in cents"))
    hr.wait_for("hr  shop/prices.py · nothing to do")
    hr.save("notes.txt", "changed")
    assert finish(hr) == 0


def test_modules_appear_move_and_go(user: User, develop: Callable[..., Development]) -> None:
    user.place.write(SHOP)
    hr = develop("app.py")
    hr.wait_for("the price is 1")
    hr.save("shop/taxes.py", "tax = 2\n")
    hr.save("shop/prices.py", "from shop.taxes import tax\n\n\ndef price():\n    return 10 + tax\n")
    hr.wait_for("the price is 12")
    shutil.rmtree(user.place.project / "shop")
    hr.wait_for("ModuleNotFoundError: No module named 'shop")
    hr.wait_for("hr  app.py has ended with exit status 1 · waiting for a change")
    hr.save("shop.py", "")
    hr.wait_for("ModuleNotFoundError: No module named 'shop.prices'; 'shop' is not a package")
    (user.place.project / "shop.py").unlink()
    hr.save("shop/__init__.py", "")
    hr.save("shop/prices.py", PRICES.format(price=3))
    hr.wait_for("the price is 3")
    assert hr.end(signal.SIGTERM) == -signal.SIGTERM


def test_a_syntax_error_that_is_taken_back_restarts_nothing(user: User, develop: Callable[..., Development]) -> None:
    user.place.write(SHOP)
    hr = develop(*LOUD)
    hr.wait_for("the price is 1")
    hr.save("shop/prices.py", "def price(:\n")
    hr.wait_for("hr  shop/prices.py:1:11 ")
    hr.wait_for("                  ^")
    hr.save("shop/prices.py", PRICES.format(price=1))
    hr.wait_for("hr  shop/prices.py · nothing to do")
    assert finish(hr) == 0


def test_an_error_at_the_start_is_repaired(user: User, develop: Callable[..., Development]) -> None:
    user.place.write({**SHOP, "shop/prices.py": "def price(:\n"})
    hr = develop("app.py")
    hr.wait_for("SyntaxError: ")
    hr.wait_for("hr  app.py has ended with exit status 1 · waiting for a change")
    hr.save("shop/prices.py", "def price(x:\n")
    line = hr.wait_for("hr  shop/prices.py:2:1 ")
    assert line.endswith(" · waiting for a change")
    hr.save("shop/prices.py", PRICES.format(price=2))
    hr.wait_for("the price is 2")
    assert hr.end(signal.SIGTERM) == -signal.SIGTERM


def test_an_import_that_fails_is_repaired(user: User, develop: Callable[..., Development]) -> None:
    user.place.write(SHOP)
    hr = develop("app.py")
    hr.wait_for("the price is 1")
    hr.save("shop/prices.py", "from shop import taxes\n" + PRICES.format(price=2))
    hr.wait_for("Traceback (most recent call last):")
    hr.wait_for("ImportError: cannot import name 'taxes' from 'shop'")
    hr.wait_for("hr  app.py has ended with exit status 1 · waiting for a change")
    hr.save("shop/prices.py", PRICES.format(price=3))
    hr.wait_for("hr  shop/prices.py · re")
    hr.wait_for("the price is 3")
    assert hr.end(signal.SIGTERM) == -signal.SIGTERM


READS_FILE = {
    **SHOP,
    "shop/prices.py": """\
from pathlib import Path


def price():
    return Path("data/prices.yaml").read_text()
""",
    "data/prices.yaml": "1",
}


def test_files_that_globs_name_restart_the_program(user: User, develop: Callable[..., Development]) -> None:
    user.place.write(READS_FILE)
    hr = develop("--watch", "data/**/*.yaml", "--ignore", "data/private", "app.py")
    hr.wait_for("the price is 1")
    with hr.stopped():
        hr.save("data/prices.yml", "not watched")
        hr.save("data/private/prices.yaml", "ignored")
        hr.save("data/prices.yaml", "1")
        hr.save("data/prices.yaml", "2")
    hr.wait_for("hr  data/prices.yaml · re")
    hr.wait_for("the price is 2")
    hr.save("data/new/prices.yaml", "new")
    hr.wait_for("hr  data/new/prices.yaml · re")
    assert finish(hr) == 2


def test_variables_of_a_file_are_those_of_the_moment(user: User, develop: Callable[..., Development]) -> None:
    prices = "import os\n\n\ndef price():\n    return os.environ['PRICE']\n"
    user.place.write({**SHOP, "shop/prices.py": prices, ".env": "PRICE=1\n"})
    hr = develop("--env-file", ".env", "app.py")
    hr.wait_for("the price is 1")
    hr.save(".env", "PRICE=2\n")
    hr.wait_for("hr  .env · re")
    hr.wait_for("the price is 2")
    assert finish(hr) == 1


def test_a_library_is_upgraded_under_the_program(user: User, develop: Callable[..., Development]) -> None:
    def tariffs(version: int) -> dict[str, str]:
        description = f"tariffs-{version}.dist-info"
        return {
            "tariffs/__init__.py": f"tariff = {version}\n",
            f"{description}/METADATA": f"Metadata-Version: 2.1\nName: tariffs\nVersion: {version}\n",
            f"{description}/RECORD": f"tariffs/__init__.py,,\n{description}/METADATA,,\n{description}/RECORD,,\n",
        }

    prices = "import tariffs\n\n\ndef price():\n    return tariffs.tariff\n"
    user.environment.install_files(tariffs(1))
    user.place.write({**SHOP, "shop/prices.py": prices})
    hr = develop("app.py")
    hr.wait_for("the price is 1")
    with hr.stopped():
        for name in tariffs(1):
            (user.environment.site_packages / name).unlink()
        (user.environment.site_packages / "tariffs-1.dist-info").rmdir()
        user.environment.install_files(tariffs(2))
    line = hr.wait_for(" · template built again")
    assert "tariffs" in line
    hr.wait_for("the price is 2")
    assert finish(hr) == 1


def test_a_path_file_lets_programs_find_what_it_names(user: User, develop: Callable[..., Development]) -> None:
    """An editable installation, say, beside a program that runs."""
    user.place.write({"app.py": PATH_FILE, "pyproject.toml": ""})
    other = user.place.temporary.parent / "other"
    other.mkdir()
    (other / "tariffs.py").write_text("TARIFF = 4\n", encoding="utf-8")
    hr = develop("app.py")
    hr.wait_for("no tariffs")
    user.environment.install_files({"other.pth": f"{other}\n"})
    hr.wait_for("hr  the interpreter looks for modules elsewhere now; starting again")
    hr.wait_for("tariff 4")
    (other / "tariffs.py").write_text("TARIFF = 50\n", encoding="utf-8")
    hr.wait_for("tariff 50")
    assert hr.end(signal.SIGINT) == -signal.SIGINT


PATH_FILE = """\
import time
try:
    import tariffs
    print("tariff", tariffs.TARIFF, flush=True)
except ImportError:
    print("no tariffs", flush=True)
while True:
    time.sleep(0.1)
"""
