"""Servers that go on from their past: with applications that they would import in a running loop, or in workers."""

from __future__ import annotations

import re
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
from harness.loop import Loop
from harness.shop import DENSE

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.development import Address, Development
    from harness.user import User

APPLICATION = {
    "pyproject.toml": DENSE,
    "shop/__init__.py": "",
    "shop/prices.py": "PRICE = 1\n",
    "shop/web.py": "from shop.prices import PRICE\nasync def app(scope, receive, send):\n"
    "    await receive()\n"
    "    if scope['type'] == 'http':\n"
    "        await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
    "        await send({'type': 'http.response.body', 'body': str(PRICE).encode()})\n",
}


IN_THE_LOOP = """\
import sys, uvicorn
uvicorn.Server(uvicorn.Config("shop.web:app", host=sys.argv[1], port=int(sys.argv[2]), lifespan="off")).run()
"""
"""What is imported this way is imported in the server's loop; newer versions of the command import it before."""


def uvicorn(address: Address) -> list[str]:
    return ["uvicorn", "--lifespan", "off", "shop.web:app", "--host", address.host, "--port", str(address.port)]


def hypercorn(address: Address) -> list[str]:
    return ["hypercorn", "--workers", "0", "shop.web:app", "--bind", str(address)]


def in_the_loop(address: Address) -> list[str]:
    return ["serve.py", address.host, str(address.port)]


@pytest.mark.parametrize("words", [uvicorn, hypercorn, in_the_loop])
def test_an_application_goes_on_wherever_its_server_imports_it(
    user: User,
    develop: Callable[..., Development],
    address: Address,
    words: Callable[[Address], list[str]],
) -> None:
    user.environment.link_programs("uvicorn", "hypercorn")
    user.place.write({**APPLICATION, "serve.py": IN_THE_LOOP})
    hr = develop(*words(address), terminal=True)
    assert hr.ask(address) == "1"
    for price in range(2, 60):
        hr.save("shop/prices.py", f"PRICE = {price}\n")
        resumed = "resumed before shop.prices " in hr.wait_for("hr  shop/prices.py · re")
        assert hr.ask(address) == str(price)
        if resumed:
            break
    assert resumed
    hr.interrupt()
    assert hr.wait() == (-signal.SIGINT if words is in_the_loop else 0), str(hr)


OWN_SERVER = """\
import asyncio, importlib, sys
import {runner}
async def main():
    application = importlib.import_module("shop.web")
    async def answer(reader, writer):
        await reader.readuntil(b"\\r\\n\\r\\n")
        writer.write(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\n" + str(application.PRICE).encode())
        writer.close()
    server = await asyncio.start_server(answer, sys.argv[1], int(sys.argv[2]))
    await server.serve_forever()
{runner}.run(main())
"""


@pytest.mark.parametrize(
    ("runner", "entry"),
    [("asyncio", "shop.web:app"), ("asyncio", ""), ("uvloop", "shop.web:app")],
    ids=["named", "unknown", "named-uvloop"],
)
def test_what_a_server_of_ones_own_imports_is_what_the_settings_name(
    user: User, develop: Callable[..., Development], address: Address, runner: str, entry: str
) -> None:
    user.environment.link_programs("uvloop")
    user.place.write({**APPLICATION, "serve.py": OWN_SERVER.replace("{runner}", runner)})
    user.place.write({"pyproject.toml": DENSE + (f"entry = '{entry}'\n" if entry else "")})
    hr = develop("serve.py", address.host, str(address.port), terminal=True)
    assert hr.ask(address) == "1"
    for price in range(2, 60 if entry else 8):
        hr.save("shop/prices.py", f"PRICE = {price}\n")
        resumed = "resumed before shop.prices " in hr.wait_for("hr  shop/prices.py · re")
        assert hr.ask(address) == str(price)
        if resumed:
            break
    assert resumed == bool(entry)
    hr.interrupt()
    hr.wait()


WORKERS = {
    "granian": (["--interface", "asgi", "--no-ws", "shop.web:app"], "has no option to do so before"),
    "hypercorn": (["--workers", "1", "shop.web:app"], "with --workers 0 it has none"),
}


@pytest.mark.parametrize("program", WORKERS)
def test_where_workers_import_the_application_it_is_told(
    user: User, develop: Callable[..., Development], address: Address, program: str
) -> None:
    user.environment.link_programs(program)
    user.place.write(APPLICATION)
    words, told = WORKERS[program]
    place = {"granian": ["--host", address.host, "--port", str(address.port)], "hypercorn": ["--bind", str(address)]}
    hr = develop("-v", program, *words, *place[program], terminal=True)
    assert hr.ask(address) == "1"
    hr.wait_for(told)
    hr.save("shop/prices.py", "PRICE = 2\n")
    hr.wait_for("hr  shop/prices.py · re")
    assert hr.ask(address) == "2"
    # Not by Ctrl-C, which reaches the workers as well: granian's status is 1 if it sees one end before it ends it.
    assert hr.end(signal.SIGTERM) == -signal.SIGTERM


@pytest.mark.parametrize("preload", [True, False], ids=["preload", "workers"])
def test_with_gunicorn_it_takes_its_preload(
    user: User, develop: Callable[..., Development], address: Address, preload: bool
) -> None:
    user.environment.link_programs("gunicorn")
    user.place.write(APPLICATION)
    application = "from shop.prices import PRICE\ndef app(environ, start_response):\n"
    application += "    start_response('200 OK', [])\n    return [str(PRICE).encode()]\n"
    user.place.write({"shop/web.py": application})
    words = ["--preload"] if preload else []
    hr = develop("-v", "gunicorn", *words, "shop.web:app", "--bind", str(address), terminal=True)
    assert hr.ask(address) == "1"
    for price in range(2, 60):
        hr.save("shop/prices.py", f"PRICE = {price}\n")
        resumed = "resumed before shop.prices " in hr.wait_for("hr  shop/prices.py · re")
        assert hr.ask(address) == str(price)
        if resumed or not preload:
            break
    assert resumed == preload
    if not preload:
        hr.wait_for("with --preload it would do so before")
    hr.interrupt()
    assert hr.wait() == 0, str(hr)


def test_an_application_that_needs_the_loop_of_its_server_gets_it(
    user: User, develop: Callable[..., Development], address: Address
) -> None:
    user.environment.link_programs("uvicorn")
    user.place.write({**APPLICATION, "serve.py": IN_THE_LOOP})
    user.place.write({"shop/prices.py": "import asyncio\nPRICE = asyncio.get_running_loop().is_running()\n"})
    hr = develop(*in_the_loop(address), terminal=True)
    assert hr.ask(address) == "True"
    hr.wait_for("shop.web needs a running event loop; starting again")
    hr.save("shop/prices.py", "PRICE = 2\n")
    hr.wait_for("hr  shop/prices.py · re")
    assert hr.ask(address) == "2"
    hr.interrupt()
    assert hr.wait() == -signal.SIGINT, str(hr)


@pytest.mark.parametrize("words", [uvicorn, in_the_loop])
@pytest.mark.parametrize("broken", ["1 / 0\n", "import nothing_there\n", "raise SystemExit(7)\n", "x = (\n"])
def test_an_application_that_cannot_be_imported_fails_as_it_does_anywhere(
    user: User, address: Address, words: Callable[[Address], list[str]], broken: str
) -> None:
    user.environment.link_programs("uvicorn")
    user.place.write({**APPLICATION, "serve.py": IN_THE_LOOP})
    user.place.write({"shop/prices.py": f"print('once', flush=True)\n{broken}"})
    program, *arguments = words(address)
    start = (
        [str(user.environment.folder / "bin" / program)]
        if words is uvicorn
        else [str(user.environment.python), program]
    )
    cold = subprocess.run(
        [*start, *arguments],
        cwd=user.place.project,
        env=user.variables() | {"PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    loop = Loop(user, "--log-format", "json", program, *arguments)
    said = loop.expect('{"event":"ended"')
    said = "".join(line for line in said.splitlines(keepends=True) if not line.startswith("{"))
    loop.interrupt()
    expected = re.sub(r"\[\d+\]", "[pid]", cold.stdout.decode())
    assert re.sub(r"\[\d+\]", "[pid]", said) == expected
