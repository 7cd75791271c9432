"""Programs whose work is done by processes of their own stay up to date as a whole."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.development import Development
    from harness.user import User

GRACE = "30"
"""Seconds. Celery takes five to end, with its temporary files removed."""

TASKS = """\
from celery import Celery
from celery.signals import worker_ready, worker_shutdown

from shop.prices import price

app = Celery("shop", broker="memory://", backend="cache+memory://")
app.conf.broker_connection_retry_on_startup = True


@app.task
def quote():
    print(f"the price is {price()}", flush=True)


@worker_ready.connect
def ask(**_):
    quote.delay()


@worker_shutdown.connect
def tell(**_):
    print("no more prices", flush=True)
"""


def test_a_celery_worker_executes_the_tasks_of_the_moment(user: User, develop: Callable[..., Development]) -> None:
    user.environment.link_programs("celery")
    user.environment.install_files({"tariffs.py": "tariff = 4\n"})
    prices = "def price():\n    return {price}\n"
    user.place.write({"shop/__init__.py": "", "shop/tasks.py": TASKS, "shop/prices.py": prices.format(price=1)})
    worker = ["--concurrency", "1", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    hr = develop("--grace", GRACE, "celery", "--app", "shop.tasks", "worker", *worker, terminal=True)
    hr.wait_for("the price is 1")
    hr.save("shop/prices.py", "import tariffs\n" + prices.format(price="tariffs.tariff"))
    hr.wait_for("hr  shop/prices.py · re")
    hr.wait_for("the price is 4")
    assert len(hr.told("no more prices")) == 1
    hr.save("shop/prices.py", prices.format(price="2 +"))
    line = hr.wait_for("hr  shop/prices.py:2:15 ")
    assert line.endswith(" · still running the last good version")
    hr.interrupt()
    assert hr.wait() == 1, "Celery's own"
    assert len(hr.told("no more prices")) == 2


SPAWNING = {
    "app.py": """\
import multiprocessing
import time

from shop.prices import price

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print("prices", pool.map(price, [1, 2]), flush=True)
        while True:
            time.sleep(0.1)
""",
    "shop/__init__.py": "",
    "shop/prices.py": "def price(number):\n    return 10 * number\n",
}


def test_processes_that_a_program_spawns_are_those_of_its_version(
    user: User, develop: Callable[..., Development]
) -> None:
    user.place.write(SPAWNING)
    hr = develop("app.py")
    hr.wait_for("prices [10, 20]")
    hr.save("shop/prices.py", "def price(number):\n    return 20 * number\n")
    hr.wait_for("prices [20, 40]")
    hr.save("shop/prices.py", "def price(number:\n")
    hr.wait_for(" · still running the last good version")
    hr.save("shop/prices.py", "import wave\n\n\ndef price(number):\n    return wave.__name__ * number\n")
    hr.wait_for("prices ['wave', 'wavewave']")
    assert hr.end(signal.SIGTERM) == -signal.SIGTERM
    assert "Traceback" not in str(hr)
