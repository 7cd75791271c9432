"""Plays every scenario in `fixtures/scenarios`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from harness.scenario import SCENARIOS, Player, Scenario

if TYPE_CHECKING:
    from harness.user import User

CASES = sorted(path.parent.name for path in SCENARIOS.glob("*/scenario.toml"))


@pytest.mark.parametrize("case", CASES)
def test_scenario(case: str, user: User) -> None:
    scenario = Scenario.read(SCENARIOS / case)
    scenario.lay_out(user.place, user.environment)
    Player(scenario, user).play()


def test_there_are_scenarios() -> None:
    assert len(CASES) >= 20
