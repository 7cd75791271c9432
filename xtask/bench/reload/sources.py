"""The texts that the generated project is made from."""

from string import Template

LIBRARIES = {
    "api": "from fastapi import APIRouter\nfrom pydantic import BaseModel, Field\n",
    "customers": "from pydantic import BaseModel, Field\n",
    "orders": "from pydantic import BaseModel, Field\n",
    "records": "from sqlalchemy import Float, Integer, String\n"
    "from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column\n",
}
"""What the modules of some areas import in addition."""

MODULE = Template('''\
"""The $thing in $area."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

$libraries$imports

logger = logging.getLogger(__name__)

$constant = 100000
RELATED = [$related]
LIMITS = {$limits}
PATTERN = re.compile(r"^(?P<prefix>$prefix)-(?P<number>\\d{$digits})(?P<rest>[a-z]*)$$")
MAXIMUM_AGE = timedelta(days=$digits)


class ${name}State(Enum):
    """Where a $thing stands."""

    OPEN = "open"
    PLANNED = "planned"
    ACCEPTED = "accepted"
    PACKED = "packed"
    SENT = "sent"
    RECEIVED = "received"
    RETURNED = "returned"
    CLOSED = "closed"

    @property
    def final(self) -> bool:
        return self.name in {"CLOSED", "RETURNED"}


class ${name}Error(Exception):
    """A $thing that cannot be what it claims to be."""

    def __init__(self, reason: str, **details: Any) -> None:
        super().__init__(reason)
        self.details = details


class ${name}Key:
    """What identifies a $thing."""

    def __init__(self, prefix: str, number: int) -> None:
        self.prefix = prefix
        self.number = number

    def __str__(self) -> str:
        return f"{self.prefix}-{self.number:0$digits}"

    @classmethod
    def parse(cls, text: str) -> ${name}Key:
        match = PATTERN.match(text)
        if match is None:
            raise ${name}Error("not a key", text=text)
        return cls(match["prefix"], int(match["number"]))


@dataclass
class ${name}Line:
    """One line of a $thing."""

$attributes
    tags: list[str] = field(default_factory=list)


$model
$functions

class ${name}Service:
    """All that can be done with a $thing."""

    known: dict[str, ${name}Model] = {}

    def __init__(self, limit: int = $constant) -> None:
        self.limit = limit
        self.seen: set[str] = set()
        self.started = datetime.now()

    def add(self, key: str, model: ${name}Model) -> None:
        if len(self.known) >= self.limit:
            raise ${name}Error("too many", limit=self.limit)
        self.known[key] = model
        self.seen.add(key)
        logger.debug("added %s", key)

    def get(self, key: str) -> ${name}Model:
        try:
            return self.known[key]
        except KeyError:
            raise ${name}Error("not found", key=key) from None

    def expired(self, now: datetime) -> bool:
        return now - self.started > MAXIMUM_AGE

    def keys(self) -> Iterator[str]:
        for key in sorted(self.seen):
            if self.known[key].state.final:
                continue
            yield key

    def report(self) -> dict[str, Any]:
        totals: dict[str, Decimal] = {}
        for key, model in self.known.items():
            totals[key] = model.total()
        return {"count": len(totals), "total": sum(totals.values(), Decimal()), "limits": LIMITS}
$ending''')

VALIDATED = Template('''\
class ${name}Model(BaseModel):
    """A $thing as it travels."""

    state: ${name}State = ${name}State.OPEN
$fields

    def total(self) -> Decimal:
        return sum((Decimal(str(value)) for value in self.model_dump().values() if isinstance(value, float)), Decimal())
''')

PLAIN = Template('''\
class ${name}Model:
    """A $thing as it is kept."""

    def __init__(self, line: ${name}Line, state: ${name}State = ${name}State.OPEN) -> None:
        self.line = line
        self.state = state

    def total(self) -> Decimal:
        return sum((Decimal(str(value)) for value in vars(self.line).values() if isinstance(value, float)), Decimal())
''')

FUNCTION = Template('''
def ${verb}_$thing(lines: Iterable[${name}Line], factor: float = $factor) -> float:
    """Goes through the $field of a $thing."""
    result = 0.0
    for position, line in enumerate(lines):
        value = line.$field
        if position > LIMITS["$field"]:
            logger.warning("%s lines of a $thing are left out", position)
            break
        if value < 0:
            raise ${name}Error("negative $field", position=position, value=value)
        result += value * factor / (1 + position % $digits)
    return round(result, $digits % 4)
''')

ROUTER = Template("""

router = APIRouter(prefix="/$thing", tags=["$thing"])
service = ${name}Service()


@router.get("/{key}")
async def read_$thing(key: str) -> ${name}Model:
    return service.get(key)


@router.get("/")
async def list_$thing(limit: int = $digits, state: ${name}State | None = None) -> list[str]:
    return [key for key in service.keys() if state is None or service.get(key).state is state][:limit]
""")

TABLE = Template('''

class Base(DeclarativeBase):
    """Tables of a $thing."""


class ${name}Row(Base):
    """A $thing as it is stored."""

    __tablename__ = "$thing"

    identifier: Mapped[int] = mapped_column(Integer, primary_key=True)
$columns
''')

APPLICATION = Template('''\
"""The application."""

import sys

from fastapi import FastAPI

$imports
from $leaf import $leaf_constant
from $deep import $deep_constant

MAIN = 100000

application = FastAPI(title="shop")
for router in ($routers):
    application.include_router(router)


@application.get("/constants")
async def constants() -> dict[str, int]:
    return {"leaf": $leaf_constant, "deep": $deep_constant, "route": MAIN, **positions()}


def positions() -> dict[str, int]:
    return {share: getattr(sys.modules[module], constant) for share, (module, constant) in POSITIONS.items()}


POSITIONS = $positions
''')
