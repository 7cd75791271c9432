"""Packages with thread pools of their own are in the template, and work in runs. `docs/native-threads.md` says why."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.user import Session, User

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 13), reason="xtask/requirements/test.txt has these packages for newer versions only"
)

NUMPY = ("numpy",)
SCIPY = (*NUMPY, "scipy")
SCIKIT_LEARN = (*SCIPY, "scikit-learn", "joblib", "threadpoolctl", "narwhals")
PANDAS = (*NUMPY, "pandas", "python-dateutil", "six", "tzdata", "pyarrow")
POLARS = ("polars", "polars-runtime-32")

DJANGO = ("Django", "asgiref", "sqlparse")

SCIENCE = {
    "science/__init__.py": "",
    "science/main.py": '''\
import concurrent.futures
import io

import numpy
import pandas
import polars
import pyarrow.compute
import pyarrow.parquet
import scipy.linalg
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier

SIZE = 500


def multiply():
    """In several threads at once, each of which uses the pool."""
    ones = numpy.ones((SIZE, SIZE))
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        products = list(threads.map(lambda factor: (ones * factor @ ones)[0, 0], range(8)))
    return [float(product) for product in products]


def decompose():
    _, _, upper = scipy.linalg.lu(numpy.eye(SIZE) * 3)
    return float(upper[5, 5])


def cluster():
    points = numpy.vstack([numpy.zeros((4000, 3)), numpy.ones((4000, 3))])
    labels = KMeans(2, n_init=1).fit(points).labels_
    forest = RandomForestClassifier(20, n_jobs=2).fit(points, labels)
    return [len(set(labels)), float(forest.score(points, labels))]


def aggregate():
    frame = pandas.DataFrame({"key": ["a", "b"] * 5000, "value": range(10000)})
    file = io.BytesIO()
    frame.to_parquet(file)
    file.seek(0)
    return [int(total) for total in pandas.read_parquet(file).groupby("key").value.sum()]


def read_in_parallel():
    file = io.BytesIO()
    columns = {name: list(range(100_000)) for name in "abcd"}
    pyarrow.parquet.write_table(pyarrow.table(columns), file, row_group_size=5000)
    file.seek(0)
    return pyarrow.compute.sum(pyarrow.parquet.read_table(file, use_threads=True)["d"]).as_py()


def query():
    frame = polars.DataFrame({"key": ["a", "b"] * 5000, "value": range(10000)})
    totals = frame.lazy().group_by("key").agg(polars.col("value").sum()).sort("key").collect(engine="streaming")
    return totals["value"].to_list()


def random():
    return [float(numpy.random.rand()), float(numpy.random.default_rng().random())]
''',
}

MULTIPLIES = """\
import numpy

def answer():
    return float((numpy.ones((300, 300)) @ numpy.ones((300, 300)))[0, 0])
"""

SOLVES = """\

def solve():
    return float(scipy.linalg.inv(numpy.eye(300))[7, 7])
"""

SUMS = [sum(range(0, 10000, 2)), sum(range(1, 10000, 2))]

RESULTS: dict[str, Any] = {
    "multiply": [500.0 * factor for factor in range(8)],
    "decompose": 3.0,
    "cluster": [2, 1.0],
    "aggregate": SUMS,
    "read_in_parallel": sum(range(100_000)),
    "query": SUMS,
}


def call(session: Session, function: str) -> Any:
    """Call `module:name` in a run. The user's own process does not import the module."""
    module, _, name = function.partition(":")
    expression = f"lambda: __import__('importlib').import_module({module!r}).{name}()"
    started = session.ask("exec", run="run", function=expression, args=[], kwargs={})
    assert "raises" not in started, started
    answer = session.ask("communicate", run="run")
    assert "raises" not in answer, answer
    return answer["result"]["value"]


def threads_of(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def test_numeric_packages_are_in_the_template_and_work_in_runs(user: User) -> None:
    user.environment.link(*SCIKIT_LEARN, *PANDAS, *POLARS)
    user.place.write(SCIENCE)
    session = user.start()
    boot = session.ask("boot", package="science")
    assert "raises" not in boot, boot
    assert boot["excluded"] == []
    imported = {"numpy", "pandas", "polars", "pyarrow.parquet", "scipy.linalg", "sklearn.cluster", "sklearn.ensemble"}
    assert imported <= set(boot["modules"])
    assert threads_of(boot["template"]) == 1
    for _ in range(2):
        assert {name: call(session, f"science.main:{name}") for name in RESULTS} == RESULTS
    assert session.ask("inspect")["template"] == boot["template"]
    drawn = [value for _ in range(3) for value in call(session, "science.main:random")]
    assert len(set(drawn)) == len(drawn), "every run draws random numbers of its own"
    assert session.finish() == 0


def test_a_layer_on_a_template_with_a_pool_works(user: User) -> None:
    user.environment.link(*SCIPY)
    user.place.write({"science/__init__.py": "", "science/main.py": MULTIPLIES})
    session = user.start()
    assert session.ask("boot", package="science")["excluded"] == []
    assert call(session, "science.main:answer") == 300.0
    user.place.write({"science/main.py": "import scipy.linalg\n" + MULTIPLIES + SOLVES})
    update = session.ask("update")
    assert (update["changed"], update["excluded"]) == (True, [])
    assert threads_of(session.ask("inspect")["template"]) == 1
    assert [call(session, "science.main:answer"), call(session, "science.main:solve")] == [300.0, 1.0]
    assert session.finish() == 0


SHOP = {
    "shop/__init__.py": "",
    "shop/main.py": """\
import cysignals
import django.contrib.auth.models
import django.http
import pygments.__main__
""",
    "shop/site.py": """\
def users():
    import django.conf

    databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    apps = ["django.contrib.auth", "django.contrib.contenttypes"]
    django.conf.settings.configure(INSTALLED_APPS=apps, DATABASES=databases)
    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    User.objects.create(username="ada")
    return User.objects.count()
""",
    "shop/signals.py": """\
import sys


def handled():
    return "cysignals.signals" in sys.modules
""",
}


def test_packages_that_misbehave_are_left_out_and_work_in_runs(user: User) -> None:
    user.environment.link(*DJANGO, "cysignals", "Pygments")
    user.place.write(SHOP)
    session = user.start()
    boot = session.ask("boot", package="shop")
    causes = {excluded["module"]: excluded["cause"] for excluded in boot["excluded"]}
    needs_settings = "raises django.core.exceptions.ImproperlyConfigured: "
    assert causes.pop("django.contrib.auth.models").startswith(needs_settings)
    assert causes.pop("pygments.__main__").startswith("raises SystemExit")
    assert causes == {"cysignals": "changes how signals are handled"}
    assert "django.http" in boot["modules"]
    assert call(session, "shop.site:users") == 1
    assert call(session, "shop.signals:handled") is False
    assert session.finish() == 0


def test_a_package_that_misbehaves_is_forced_in(user: User) -> None:
    user.environment.link("cysignals")
    user.place.write({name: SHOP[name] for name in ("shop/__init__.py", "shop/signals.py")})
    session = user.start()
    boot = session.ask("boot", package="shop", preload=["cysignals"])
    assert (boot["excluded"], "cysignals" in boot["modules"]) == ([], True)
    assert call(session, "shop.signals:handled") is True
    assert session.finish() == 0
    warning = "hr  warning: cysignals is preloaded although it changes how signals are handled"
    assert warning in session.stderr.read_text()
