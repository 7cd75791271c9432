"""Servers that developers start every day stay up to date with `hr run`, and end as if it were not there."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from harness import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.development import Address, Development
    from harness.user import User

PRICES = """\
import atexit

print("prices: open", flush=True)
atexit.register(print, "prices: closed", flush=True)


def price():
    return {price}
"""

FASTAPI = {
    "shop/__init__.py": "",
    "shop/web.py": """\
from contextlib import asynccontextmanager

from fastapi import FastAPI

from shop.prices import price


@asynccontextmanager
async def lifespan(app):
    yield
    print("shop: closed", flush=True)


app = FastAPI(lifespan=lifespan)


@app.get("/")
def index():
    return {"price": price()}
""",
}

FLASK = {
    "shop/__init__.py": """\
from flask import Flask

from shop.prices import price

app = Flask(__name__)


@app.get("/")
def index():
    return {"price": price()}
""",
    "app.py": """\
import sys

from shop import app

if __name__ == "__main__":
    host, port = sys.argv[1:]
    app.run(host, int(port), debug=True)
""",
}

DJANGO = {
    "manage.py": """\
import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
""",
    "shop/__init__.py": "",
    "shop/settings.py": """\
from pathlib import Path

DEBUG = True
SECRET_KEY = "shop"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "shop.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parents[1] / "templates"],
    }
]
""",
    "shop/urls.py": """\
from django.urls import path

from shop.views import index

urlpatterns = [path("", index)]
""",
    "shop/views.py": """\
from django.shortcuts import render

from shop.prices import price


def index(request):
    return render(request, "index.html", {"price": price()})
""",
    "templates/index.html": '{"price":{{ price }}}',
}

WSGI = {
    "shop/__init__.py": "",
    "shop/web.py": """\
import os

from shop.prices import price


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    if environ["PATH_INFO"] == "/worker":
        return [str(os.getpid()).encode()]
    return [b'{"price":%d}' % price()]
""",
}

SCRIPT = {
    "app.py": """\
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from shop.prices import price


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"price":%d}' % price())


host, port = sys.argv[1:]
try:
    HTTPServer((host, int(port)), Handler).serve_forever()
except KeyboardInterrupt:
    print("shop: closed", flush=True)
""",
    "shop/__init__.py": "",
}


@dataclass(frozen=True)
class Server:
    """A server, how it is started, and what it says."""

    name: str
    packages: tuple[str, ...]
    files: Mapping[str, str]
    words: tuple[str, ...]
    """After `hr run`. `{host}` and `{port}` are where it is to listen."""
    closes: str = "prices: closed"
    """What it says when it is interrupted."""
    status: int = 0
    """How it ends then."""
    notice: str | None = None
    """What `hr` says about its reloader."""
    processes: int = 1
    """How many of its processes load the program. Each does it when it comes to it, from what is there then."""


SERVERS = [
    Server(
        "uvicorn",
        ("uvicorn", "fastapi"),
        FASTAPI,
        ("uvicorn", "shop.web:app", "--host", "{host}", "--port", "{port}"),
        closes="shop: closed",
    ),
    Server(
        "uvicorn --reload",
        ("uvicorn", "fastapi"),
        FASTAPI,
        ("uvicorn", "--reload", "shop.web:app", "--host", "{host}", "--port", "{port}"),
        closes="shop: closed",
        notice="uvicorn's own reloader is switched off",
    ),
    Server(
        "django",
        ("django",),
        DJANGO,
        ("--watch", "templates/**", "manage.py", "runserver", "{host}:{port}"),
        notice="Django's own reloader is switched off",
    ),
    Server(
        "flask",
        ("flask",),
        FLASK,
        ("python", "-m", "flask", "--app", "shop", "run", "--host", "{host}", "--port", "{port}"),
    ),
    Server(
        "flask --debug",
        ("flask",),
        FLASK,
        ("flask", "--app", "shop", "run", "--debug", "--host", "{host}", "--port", "{port}"),
        notice="Flask's own reloader is switched off",
    ),
    Server("flask app.run", ("flask",), FLASK, ("app.py", "{host}", "{port}")),
    Server(
        "gunicorn",
        ("gunicorn",),
        WSGI,
        ("gunicorn", "shop.web:app", "--workers", "2", "--bind", "{host}:{port}"),
        closes="Shutting down: Master",
        processes=2,
    ),
    Server("script", (), SCRIPT, ("app.py", "{host}", "{port}"), closes="shop: closed"),
]


def price(hr: Development, address: Address) -> int:
    """What the server answers at present."""
    answer: dict[str, int] = json.loads(hr.ask(address))
    return answer["price"]


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)
def test_a_server_is_kept_up_to_date(
    server: Server, user: User, develop: Callable[..., Development], address: Address
) -> None:
    user.environment.link_programs(*server.packages)
    user.environment.install_files({"tariffs/__init__.py": "def tariff():\n    return 4\n"})
    user.place.write({**server.files, "shop/prices.py": PRICES.format(price=1)})
    words = [word.format(host=address.host, port=address.port) for word in server.words]
    hr = develop(*words, terminal=True)

    def wait_until_open() -> None:
        for _ in range(server.processes):
            hr.wait_for("prices: open")

    if server.notice:
        hr.wait_for(server.notice)
    hr.wait_for("hr  ready in ")
    wait_until_open()
    assert price(hr, address) == 1

    hr.save("shop/prices.py", PRICES.format(price=2))
    hr.wait_for("hr  shop/prices.py · re")
    wait_until_open()
    assert price(hr, address) == 2

    hr.save("shop/prices.py", PRICES.format(price="2 +"))
    line = hr.wait_for("hr  shop/prices.py:8:15 ")
    assert line.endswith(" · still running the last good version")
    hr.wait_for("        return 2 +")
    hr.wait_for("                  ^")
    assert price(hr, address) == 2

    hr.save("shop/prices.py", "import tariffs\n" + PRICES.format(price="tariffs.tariff()"))
    hr.wait_for("hr  tariffs")
    hr.wait_for("hr  shop/prices.py · re")
    wait_until_open()
    assert price(hr, address) == 4

    hr.interrupt()
    hr.wait_for(server.closes)
    assert hr.wait() == server.status, str(hr)
    assert address.is_free()


def test_a_server_of_files_is_restarted_for_those_that_globs_name(
    user: User, develop: Callable[..., Development], address: Address
) -> None:
    user.place.write({"shop/__init__.py": "", "pages/index.html": "one"})
    words = ["-m", "http.server", "--bind", address.host, "--directory", "pages", str(address.port)]
    hr = develop("--watch", "pages/*.html", *words, terminal=True)
    hr.wait_for("hr  ready in ")
    assert hr.ask(address) == "one"
    hr.save("pages/index.html", "two")
    hr.wait_for("hr  pages/index.html · re")
    assert hr.ask(address) == "two"
    hr.save("shop/__init__.py", "def price(:\n")
    hr.wait_for("hr  shop/__init__.py:1:11 ")
    assert hr.ask(address) == "two"
    hr.interrupt()
    hr.wait_for("Keyboard interrupt received, exiting.")
    assert hr.wait() == 0, str(hr)
    assert address.is_free()


def test_templates_restart_django(user: User, develop: Callable[..., Development], address: Address) -> None:
    user.environment.link_programs("django")
    user.place.write({**DJANGO, "shop/prices.py": PRICES.format(price=1)})
    hr = develop("--watch", "templates/**", "manage.py", "runserver", str(address))
    hr.wait_for("hr  ready in ")
    assert price(hr, address) == 1
    hr.save("templates/index.html", '{"price":2{{ price }}}')
    hr.wait_for("hr  templates/index.html · re")
    assert price(hr, address) == 21
    assert hr.end(signal.SIGTERM) == -signal.SIGTERM


def test_all_of_gunicorn_is_gone_before_it_starts_again(
    user: User, develop: Callable[..., Development], address: Address
) -> None:
    user.environment.link_programs("gunicorn")
    user.place.write({**WSGI, "shop/prices.py": PRICES.format(price=1)})
    hr = develop("gunicorn", "shop.web:app", "--workers", "2", "--bind", str(address))
    for round_ in range(2):
        master = int(hr.wait_for("Listening at: ").rstrip(")").rpartition("(")[2])
        workers = [int(hr.wait_for("Booting worker with pid: ").rpartition(" ")[2]) for _ in range(2)]
        for _ in workers:
            hr.wait_for("prices: open")
        assert int(hr.ask(address, "/worker")) in workers
        hr.save("shop/prices.py", PRICES.format(price=2 + round_))
        hr.wait_for("hr  shop/prices.py · re")
        assert [pid for pid in (master, *workers) if not processes.has_ended(pid)] == []
    hr.wait_for("Listening at: ")
    assert hr.end(signal.SIGTERM) == -signal.SIGTERM
    hr.wait_for("Shutting down: Master")
    assert hr.told("Connection in use") == []
