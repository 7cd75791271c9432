"""What runs load themselves is in the next template; what has failed is not tried again without a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.user import Session, User

PROJECT = {
    "app/__init__.py": "",
    "app/main.py": """
import importlib, sys

def load(*names):
    before = set(sys.modules)
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:
            pass
    return sorted(name for name in names if name in before)
""",
}


def loaded_before(session: Session, *names: str) -> Any:
    """Lets a run load modules by their names; returns those that it had from the beginning."""
    session.ask("exec", run="run", function="app.main:load", args=list(names), kwargs={})
    return session.ask("communicate", run="run")["result"]["value"]


def install(user: User, **modules: str) -> None:
    user.environment.install_files({f"{name}.py": text for name, text in modules.items()})


def opened(user: User) -> Session:
    session = user.start()
    session.ask("boot", package="app")
    return session


def test_what_a_run_had_to_load_is_in_the_next_template(user: User) -> None:
    install(user, plugin="import helper", helper="", other="")
    user.place.write(PROJECT)
    session = opened(user)
    assert loaded_before(session, "plugin", "colorsys", "app.main") == ["app.main"]
    assert session.ask("update")["added"] == ["helper", "plugin", "colorsys"]
    assert loaded_before(session, "plugin", "colorsys", "helper", "other") == ["colorsys", "helper", "plugin"]
    assert session.finish() == 0

    session = opened(user)
    assert loaded_before(session, "plugin", "colorsys", "other") == ["colorsys", "other", "plugin"]
    assert session.ask("inspect")["excluded"] == []
    assert session.finish() == 0


def test_the_projects_own_namespace_packages_are_not_learned(user: User) -> None:
    install(user, **{"library/plugins/one": ""})
    user.place.write({**PROJECT, "app/names/deep.py": "", "app/names/deeper/inner.py": ""})
    session = opened(user)
    loaded_before(session, "app.names.deeper.inner", "app.names.deep", "library.plugins.one")
    assert session.ask("update")["added"] == ["library", "library.plugins", "library.plugins.one"]
    assert session.finish() == 0


HOOK = """
import sys
from importlib.machinery import PathFinder, SourceFileLoader

class Loader(SourceFileLoader):
    def source_to_code(self, data, path):
        return super().source_to_code(data.replace(b"plain", b"changed"), path)

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        spec = PathFinder.find_spec(name, path)
        if name == "plugin":
            spec.loader = Loader(name, spec.origin)
        return spec

sys.meta_path.insert(0, Finder)
"""


def test_what_an_import_hook_makes_of_a_module_is_not_learned(user: User) -> None:
    """A test runner rewrites assertions, say, and complains of modules that are there before it."""
    install(user, plugin="KIND = 'plain'", other="")
    user.place.write({**PROJECT, "app/hook.py": HOOK})
    session = opened(user)
    loaded_before(session, "app.hook", "plugin", "other")
    assert session.ask("update")["added"] == ["other"]
    assert session.finish() == 0


def test_what_is_in_a_package_of_an_import_hook_is_not_learned(user: User) -> None:
    """To import it is to import the package, in the ordinary way."""
    install(user, **{"plugin/__init__": "KIND = 'plain'", "plugin/part": "", "other": ""})
    user.place.write({**PROJECT, "app/hook.py": HOOK})
    session = opened(user)
    loaded_before(session, "app.hook", "plugin.part", "other")
    assert session.ask("update")["added"] == ["other"]
    assert session.finish() == 0


def test_what_was_learned_and_is_gone_is_forgotten(user: User) -> None:
    install(user, plugin="")
    user.place.write(PROJECT)
    session = opened(user)
    loaded_before(session, "plugin")
    assert session.finish() == 0
    (user.environment.site_packages / "plugin.py").unlink()
    session = opened(user)
    assert session.ask("update")["changed"] is False
    assert "plugin" not in session.ask("inspect")["modules"]
    assert session.finish() == 0


def test_a_module_that_failed_is_tried_again_when_there_is_a_reason(user: User) -> None:
    record = user.place.home / "attempts"
    failing = f"open({str(record)!r}, 'a').write('x')\nimport os\nos._exit(3)\n"
    install(user, failing=failing)
    user.place.write({"app/__init__.py": "", "app/main.py": "import failing\n"})

    def attempts() -> int:
        count = len(record.read_text()) if record.exists() else 0
        record.unlink(missing_ok=True)
        return count

    session = opened(user)
    assert "ends the process with exit code 3" in session.ask("inspect")["excluded"][0]["cause"]
    assert attempts() == 1
    assert session.finish() == 0

    session = opened(user)
    [excluded] = session.ask("inspect")["excluded"]
    assert excluded["module"] == "failing"
    assert "ends the process with exit code 3" in excluded["cause"]
    assert session.ask("update")["changed"] is False
    assert attempts() == 0, "nothing has changed since it failed"

    install(user, failing="MENDED = True\n")
    report = session.ask("update")
    assert report["changed"]
    assert session.ask("inspect")["excluded"] == []
    session.ask("exec", run="mended", function="lambda: __import__('failing').MENDED", args=[], kwargs={})
    assert session.ask("communicate", run="mended")["result"]["value"] is True
    assert session.finish() == 0
