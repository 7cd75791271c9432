"""`fixtures/django_site`, served by Django's own server."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from equivalence import answers
from equivalence.django_variations import VARIATIONS
from equivalence.project import Project
from equivalence.servers import Place
from equivalence.tree import Constant, State

NAME, PASSWORD = "librarian", "open"

ROUTE = """
from django.http import JsonResponse

from grown import journal

urlpatterns.append(path("journal", lambda _: JsonResponse(journal.state())))
"""

ORDER = """
from django.core.checks.registry import registry


class Sorted(set):
    def __iter__(self):
        return iter(sorted(super().__iter__(), key=lambda check: (check.__module__, check.__qualname__)))


registry.registered_checks = Sorted(registry.registered_checks)

if __name__"""
"""Django keeps its checks in a set of functions, whose order is that of their addresses: no two processes agree on it,
nor on the order in which checks have modules imported.
"""

MIGRATION = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalogue", "{before}")]

    operations = [
        migrations.AddField("author", "{name}", models.CharField(max_length=20, null=True)),
    ]
"""

_MODELS, _ANCHOR = "catalogue/models.py", "    name = models.CharField(max_length=100)\n"
_LAST = "0002_first_books"


def _route(folder: Path) -> None:
    urls = folder / "branch" / "urls.py"
    urls.write_text(urls.read_text(encoding="utf-8") + ROUTE, encoding="utf-8")
    manage = folder / "manage.py"
    manage.write_text(manage.read_text(encoding="utf-8").replace("\nif __name__", ORDER), encoding="utf-8")


def _prepare(place: Place) -> None:
    user = ("--username", NAME, "--email", "librarian@example.org")
    done = _migrate(place) and _manage(place, "createsuperuser", "--noinput", *user) and _manage(place, "issue_cards")
    assert done, "the site cannot be set up"


def _migrate(place: Place) -> bool:
    return _manage(place, "migrate", "--verbosity", "0")


def _manage(place: Place, *words: str) -> bool:
    """Whether a command of Django's succeeds."""
    place.forget_bytecode()
    done = subprocess.run(
        [place.programs / "python", "manage.py", *words],
        cwd=place.project,
        env={
            **place.variables,
            "PYTHONPYCACHEPREFIX": str(place.bytecode),
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode == 0


def _log_in(port: int) -> Mapping[str, str]:
    return answers.log_in(port, "/admin/login/", NAME, PASSWORD)


def _add_column(state: State, name: str) -> None:
    earlier = sorted(Path(file).stem for file in state.files if file.startswith("catalogue/migrations/"))
    migration = f"{len(earlier) + 3:04}_{name}"
    text = MIGRATION.format(before=earlier[-1] if earlier else _LAST, name=name)
    state.files[f"catalogue/migrations/{migration}.py"] = text
    column = f"    {name} = models.CharField(max_length=20, null=True)\n"
    state.insertions.setdefault((_MODELS, _ANCHOR), []).append(column)


DJANGO = Project(
    fixture="django_site",
    packages=("branch", "catalogue", "lending", "members"),
    route=_route,
    warm=lambda port: ["manage.py", "runserver", f"127.0.0.1:{port}"],
    cold=lambda place, port: [place.programs / "python", "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"],
    ready="Starting development server at",
    requests=(
        "/",
        "/revision/",
        "/catalogue/",
        "/catalogue/1/",
        "/catalogue/?title=an",
        "/lending/",
        "/api/",
        "/api/books/",
        "/api/books/?genre=novel&format=json",
        "/api/authors/?format=json",
        "/accounts/login/",
        "/health/",
        "/healthy/",
        "/admin/",
        "/admin/catalogue/book/",
        "/admin/catalogue/book/1/change/",
        "/admin/catalogue/author/1/change/",
        "/admin/catalogue/book/import/",
        "/admin/catalogue/section/",
        "/admin/lending/loan/",
        "/admin/members/card/",
        "/journal",
        "/missing/",
        "/static/admin/css/base.css",
    ),
    variations=VARIATIONS,
    constants=(
        Constant("branch/settings/base.py", "REVISION"),
        Constant("branch/settings/base.py", "PAGE_SIZE"),
        Constant("catalogue/numbers.py", "SHELVES"),
        Constant("lending/rules.py", "FINE_PER_DAY"),
    ),
    prepare=_prepare,
    log_in=_log_in,
    add_column=_add_column,
    migrate=_migrate,
)
