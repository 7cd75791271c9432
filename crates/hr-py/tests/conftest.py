"""Every test has folders, a clean virtual environment and a mark of its own, and leaves nothing behind."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from harness import processes
from harness.development import Address, Development
from harness.environment import VirtualEnvironment
from harness.user import Place, User

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session", autouse=True)
def _adopt_orphans() -> None:
    processes.adopt_orphans()


@pytest.fixture(scope="session", autouse=True)
def _heed_signals() -> None:
    """Users' processes heed what is ignored here if these tests were started by `nohup`, or in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for other in (signal.SIGHUP, signal.SIGQUIT):
        signal.signal(other, signal.SIG_DFL)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Where the test's project lies."""
    return Place(tmp_path)


@pytest.fixture
def environment(tmp_path: Path) -> VirtualEnvironment:
    """A virtual environment with the wheel under test."""
    return VirtualEnvironment(tmp_path / "venv")


@pytest.fixture
def user(environment: VirtualEnvironment, place: Place) -> Iterator[User]:
    """A user who starts processes. After the test none of them is left, and no file of theirs."""
    user = User(environment, place)
    try:
        yield user
        user.leave()
        assert user.remaining() == []
        assert place.litter() == []
    finally:
        user.end()


@pytest.fixture
def develop(user: User) -> Iterator[Callable[..., Development]]:
    """Starts `hr run` with the words it is given."""
    started: list[Development] = []

    def start(*words: str, terminal: bool = False, **variables: str) -> Development:
        started.append(Development(user, *words, terminal=terminal, **variables))
        return started[-1]

    yield start
    for development in started:
        development.close()


@pytest.fixture
def address() -> Address:
    """Where the test's server may listen."""
    return Address()
