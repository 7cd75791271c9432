"""`hr doctor`: what a template costs, what it lacks, and what would help."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.user import User

MEGABYTE = 1 << 20

LIBRARIES = {
    "large/__init__.py": """\
import large.store
try:
    import no_such_accelerator
except ImportError:
    pass
""",
    "large/store.py": f"""\
import importlib
import small
importlib.import_module('small')
KEPT = bytearray(b'x' * {64 * MEGABYTE})
""",
    "small.py": """\
import os
LEVEL = os.environ.get("SMALL_LEVEL")
MODE = os.getenv("SMALL_MODE", "fast")
KEPT_OPEN = open(__file__)
""",
    "threaded.py": """\
import time
import threading
import brought_by_threaded
time.sleep(0.1)
threading.Thread(target=time.sleep, args=(3600,), daemon=True, name="pool").start()
""",
    "brought_by_threaded.py": "",
    "seldom.py": "import time\ntime.sleep(0.2)\n",
}

PROJECT = {
    "app/__init__.py": "",
    "app/main.py": "import large\nimport threaded\nimport library_that_nobody_has\n",
    "app/report.py": "def report():\n    import seldom\n    return seldom\n",
}


def examined(user: User, *arguments: str, **variables: str) -> dict[str, Any]:
    done = user.run_hr("doctor", "app", "--format", "json", *arguments, **variables)
    assert done.returncode == 0, done.stderr
    examination: dict[str, Any] = json.loads(done.stdout)
    return examination


def prepare(user: User) -> None:
    user.place.write(PROJECT)
    user.environment.install_files(LIBRARIES)


def test_each_package_is_told_with_what_it_cost(user: User) -> None:
    prepare(user)
    examination = examined(user)
    costs = {cost["package"]: cost for cost in examination["costs"]}
    assert {"large", "small", "seldom"} <= costs.keys()
    assert "no_such_accelerator" not in costs
    large, small = costs["large"], costs["small"]
    assert large["kind"] == "third-party"
    assert large["modules"] == 2
    assert large["self_memory"] > 60 * MEGABYTE > small["total_memory"]
    assert large["total_micros"] >= large["self_micros"] + small["total_micros"]
    assert costs["seldom"]["self_micros"] >= 200_000
    assert examination["build"]["micros"] >= examination["build"]["import_micros"]
    assert sum(cost["self_micros"] for cost in costs.values()) <= examination["build"]["import_micros"]


def test_every_import_is_on_the_time_line_below_its_importer(user: User) -> None:
    prepare(user)
    imports = examined(user)["imports"]
    by_name = {one["module"]: one for one in imports}
    assert len(by_name) == len(imports), "nothing is imported twice"
    assert imports[by_name["small"]["parent"]]["module"] == "large.store"
    assert imports[by_name["large.store"]["parent"]]["module"] == "large"
    assert by_name["large"]["parent"] is None
    assert by_name["no_such_accelerator"]["failed"]
    for one in imports:
        if one["parent"] is not None:
            parent = imports[one["parent"]]
            assert parent["start_micros"] <= one["start_micros"]
            assert one["start_micros"] + one["micros"] <= parent["start_micros"] + parent["micros"] + 2


def test_what_the_template_lacks_is_told_with_its_reason_and_left_no_record(user: User) -> None:
    prepare(user)
    examination = examined(user)
    excluded = {one["module"]: one for one in examination["excluded"]}
    assert excluded.keys() == {"threaded", "library_that_nobody_has"}
    threaded = excluded["threaded"]
    assert threaded["cause"] == "leaves threads running: pool"
    assert (threaded["file"], threaded["line"]) == ("app/main.py", 2)
    assert threaded["micros"] >= 100_000
    names = {one["module"] for one in examination["imports"]}
    assert not names & {"threaded", "brought_by_threaded"}


def test_variables_and_descriptors_are_told_with_the_module_that_asked(user: User) -> None:
    prepare(user)
    examination = examined(user, SMALL_MODE="slow")
    variables = {one["name"]: one for one in examination["variables"]}
    assert variables["SMALL_MODE"] == {"name": "SMALL_MODE", "set": True, "modules": ["small"]}
    assert variables["SMALL_LEVEL"] == {"name": "SMALL_LEVEL", "set": False, "modules": ["small"]}
    opened = {one["what"]: one["module"] for one in examination["descriptors"]}
    assert opened[str(user.environment.site_packages / "small.py")] == "small"


def test_it_says_what_would_help(user: User) -> None:
    prepare(user)
    examination = examined(user)
    advice = {one["module"]: one for one in examination["advice"]}
    assert advice["threaded"]["when"] == "run"
    assert "app/main.py:2" in advice["threaded"]["what"]
    assert advice["seldom"]["when"] == "build"
    assert 'exclude = ["seldom"]' in advice["seldom"]["how"]
    assert "not installed" in advice["library_that_nobody_has"]["what"]
    assert [one["module"] for one in examination["lazy"]] == ["seldom"]


def test_what_runs_have_taught_is_told(user: User) -> None:
    user.place.write({"app.py": "def load(name):\n    return __import__(name).__name__\n"})
    user.environment.install_files({"plugin.py": ""})
    session = user.start()
    session.ask("boot", package="app")
    for name in ("plugin", "json.scanner"):
        session.ask("exec", run=name, function="app:load", args=[name], kwargs={})
        assert session.ask("communicate", run=name)["result"]["value"] in ("plugin", "json")
    assert session.finish() == 0
    learned = {one["module"]: one for one in examined(user)["learned"]}
    assert {"plugin", "json.scanner"} <= learned.keys()
    assert learned["plugin"]["excluded"] is None
    assert learned["plugin"]["micros"] > 0
    assert "\n  plugin  " in user.run_hr("doctor", "app").stdout


def test_a_second_examination_finds_the_same(user: User) -> None:
    prepare(user)
    first, second = examined(user), examined(user)
    assert [one["cause"] for one in first["excluded"]] == [one["cause"] for one in second["excluded"]]
    for_runs = [[one["module"] for one in each["advice"] if one["when"] == "run"] for each in (first, second)]
    assert for_runs[0] == for_runs[1] != []
    assert all(one["micros"] is not None for one in second["excluded"])


def test_people_get_a_table(user: User) -> None:
    prepare(user)
    done = user.run_hr("doctor", "app")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert re.search(r"^large +\d+.* +6\d MB +", done.stdout, re.MULTILINE), done.stdout
    for title in ("Not in the template", "Imported only inside functions", "What would help most"):
        assert f"\n{title}\n" in done.stdout


def test_the_page_needs_nothing_else(user: User) -> None:
    prepare(user)
    page = user.place.home / "page.html"
    done = user.run_hr("doctor", "app", "--html", str(page))
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert '"module":"large.store"' in text
    assert "{{" not in text
    addresses = re.findall(r"""https?://[^"')\s]+|src=|<link|@import""", text)
    assert addresses == ["http://www.w3.org/2000/svg"]


def test_a_project_without_imports_has_nothing_to_tell(user: User) -> None:
    user.place.write({"app.py": "print('never executed by a template')\n"})
    done = user.run_hr("doctor", "app")
    assert done.returncode == 0, done.stderr
    assert "Nothing stands out." in done.stdout
    assert "never executed" not in done.stdout + done.stderr


def test_what_cannot_be_examined_is_one_error(user: User) -> None:
    user.place.write(PROJECT)
    done = user.run_hr("doctor", "no_such_package")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "hint: " in done.stderr
    done = user.run_hr("doctor", "app", "--html", str(user.place.home / "no" / "such" / "page.html"))
    assert done.returncode == 2
    assert "page.html" in done.stderr
