"""`hr run` talks on stderr: as much as is asked for, for people or for tools."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.development import Development
    from harness.user import User

APP = {
    "app.py": "import signal\n\nimport prices\n\nprint(f'price {prices.price}', flush=True)\nsignal.pause()\n",
    "prices.py": "price = 1\n",
}


def work(user: User, hr: Development, *, syntax_error: str) -> None:
    """Save what is told of in different ways, until the text of a syntax error and the end of the program are told."""
    user.environment.install_files({"tariffs.py": ""})
    hr.wait_for("price 1")
    hr.save("prices.py", "import tariffs\n\nprice = 2\n")
    hr.wait_for("price 2")
    hr.save("prices.py", "price =\n")
    hr.wait_for(syntax_error)
    hr.save("prices.py", "price = 3\n")
    hr.wait_for("price 3")
    hr.save("app.py", "print('the end', flush=True)\nraise SystemExit(4)\n")
    hr.wait_for("the end")


def test_quiet_tells_of_errors_alone(user: User, develop: Callable[..., Development]) -> None:
    user.place.write(APP)
    hr = develop("-q", "app.py")
    work(user, hr, syntax_error="hr  prices.py:1:8 ")
    hr.end(signal.SIGTERM)
    told = [line for line in hr.lines if line not in {"price 1", "price 2", "price 3", "the end"}]
    assert len(told) == 3
    assert told[0].endswith(" · still running the last good version")
    assert told[1:] == ["        price =", "               ^"]


def test_tools_are_told_in_json(user: User, develop: Callable[..., Development]) -> None:
    user.place.write(APP)
    hr = develop("-v", "--log-format", "json", "app.py")
    work(user, hr, syntax_error='"event":"syntax-error"')
    hr.wait_for('"event":"ended"')
    hr.save("app.py", APP["app.py"])
    hr.wait_for("price 3")
    hr.wait_for('"app.py"')
    hr.save("app.py", APP["app.py"] + "# A comment.\n")
    hr.wait_for('"event":"nothing"')
    hr.end(signal.SIGTERM)
    told: list[dict[str, Any]] = [json.loads(line) for line in hr.lines if line.startswith("{")]
    assert len(told) == len([line for line in hr.lines if not line.startswith(("price ", "the end"))])
    events = ["ready", "added", "restarted", "syntax-error", "restarted", "restarted", "ended", "restarted", "nothing"]
    assert [event["event"] for event in told] == events
    ready, added, restarted, syntax_error = told[:4]
    assert ready["seconds"] > 0
    assert added["modules"] == ["tariffs"]
    assert restarted["files"] == ["prices.py"]
    assert restarted["seconds"] > 0
    assert (syntax_error["file"], syntax_error["line"], syntax_error["column"]) == ("prices.py", 1, 8)
    assert syntax_error["running"] is True
    assert told[6]["status"] == {"exit": 4}
