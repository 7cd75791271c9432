"""Writes a project of 300 modules that look like those of a grown web application. The same every time.

Usage: generate.py FOLDER [TIMES]. The package is called ``shop``: twelve areas, each a package of 24 modules of some
230 lines, or of so many times as many. A module imports from its like in the area below and from the two areas at the
bottom, the first of which is imported as a whole before anything else. Every module is reached from ``shop.main``,
whose application answers what some constants are.
"""

import random
import re
import sys
from pathlib import Path

import sources

AREAS = (
    "core",
    "records",
    "money",
    "catalog",
    "stock",
    "customers",
    "orders",
    "shipping",
    "billing",
    "reports",
    "services",
    "api",
)
"""From the bottom to the top."""

THINGS = (
    "account", "address", "article", "basket", "batch", "brand", "carrier", "contract", "coupon", "delivery",
    "discount", "invoice", "label", "ledger", "package", "partner", "payment", "price", "promise", "quote",
    "refund", "shipment", "tariff", "voucher",
)  # fmt: skip
"""One module of each area for each."""

FIELDS = {
    "amount": "float",
    "balance": "float",
    "code": "str",
    "count": "int",
    "currency": "str",
    "height": "float",
    "kind": "str",
    "note": "str",
    "owner": "str",
    "place": "str",
    "rate": "float",
    "weight": "float",
}
DEFAULTS = {"float": "0.0", "int": "0", "str": '""'}
COLUMNS = {"float": "Float", "int": "Integer", "str": "String(80)"}
VERBS = ("sum", "check", "weigh", "plan", "compare", "settle", "convert")
"""One function of each module for each."""

CHOSEN = 8
"""Fields of one thing."""

IMPORTED = 3
"""Modules of the project that a module imports from, beside the one everything imports."""

FOUNDATION = 6
"""Modules of the first area that import nothing of the project."""

SHARED = 2
"""Areas, from the bottom, that modules of all others import from."""

SEED = 300

SHARES = (10, 50, 90)
"""Percent of the order in which modules are executed, at which one module's constant is answered."""

_IMPORT = re.compile(r"^from (shop[.\w]*) import (\w+)", re.MULTILINE)


def write(folder: Path, times: int = 1) -> None:
    """Write the project, so many times as large."""
    numbers = random.Random(SEED)  # noqa: S311
    package = folder / "shop"
    things = _things(times)
    for level, area in enumerate(AREAS):
        (package / area).mkdir(parents=True)
        (package / area / "__init__.py").write_text(_area(area, things))
        for thing in things:
            (package / area / f"{thing}.py").write_text(_module(level, thing, things, numbers))
    (package / "__init__.py").write_text('"""A shop."""\n')
    (package / "main.py").write_text(_main(things, {}))
    (package / "main.py").write_text(_main(things, positions(folder)))


def positions(folder: Path) -> dict[str, tuple[str, str]]:
    """Modules at some places of the order in which the project's are executed, and the constant of each."""
    order = [module for module in executed(folder) if module.count(".") > 1]
    modules = {f"{share}%": order[len(order) * share // 100] for share in SHARES}
    return {share: (module, _constant(*module.split(".")[1:])) for share, module in modules.items()}


def executed(folder: Path) -> list[str]:
    """The project's modules in the order in which their execution begins."""
    order: dict[str, None] = {}

    def visit(module: str) -> None:
        if module in order:
            return
        parent, _, _ = module.rpartition(".")
        if parent:
            visit(parent)
        if module in order:
            return  # its package has imported it
        file = folder / module.replace(".", "/")
        file = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
        order[module] = None
        for source, name in _IMPORT.findall(file.read_text()):
            visit(source)
            if (folder / source.replace(".", "/") / f"{name}.py").exists():
                visit(f"{source}.{name}")

    visit("shop.main")
    return list(order)


def _things(times: int) -> list[str]:
    return [f"{thing}{number or ''}" for number in range(times) for thing in THINGS]


def _constant(area: str, thing: str) -> str:
    return f"{area}_{thing}".upper()


def _main(things: list[str], answered: dict[str, tuple[str, str]]) -> str:
    top, bottom, last = AREAS[-1], AREAS[0], THINGS[-1]
    return sources.APPLICATION.substitute(
        imports="\n".join(f"from shop.{top}.{thing} import router as {thing}_router" for thing in things),
        routers=", ".join(f"{thing}_router" for thing in things),
        leaf=f"shop.{top}.{last}",
        leaf_constant=_constant(top, last),
        deep=f"shop.{bottom}.{last}",
        deep_constant=_constant(bottom, last),
        positions=repr(answered),
    )


def _area(area: str, things: list[str]) -> str:
    lines = [f'"""Everything about {area}."""']
    if area == AREAS[0]:
        lines += [f"from shop.{area} import {thing} as {thing}" for thing in things]
    return "\n".join(lines) + "\n"


def _module(level: int, thing: str, things: list[str], numbers: random.Random) -> str:
    area, name = AREAS[level], thing.capitalize()
    fields = ["amount", *numbers.sample(sorted(FIELDS)[1:], CHOSEN - 1)]
    amounts = [field for field in fields if FIELDS[field] == "float"]
    values = {"area": area, "thing": thing, "name": name, "digits": str(numbers.randint(2, 9))}
    related = _related(level, thing, things, numbers)
    constants = [_constant(other, what) for other, what in related]
    functions = [
        sources.FUNCTION.substitute(values, verb=verb, factor=numbers.choice(constants or ["7"]), field=field)
        for verb, field in ((verb, numbers.choice(amounts)) for verb in VERBS)
    ]
    described = [
        f'    {field}: {FIELDS[field]} = Field({DEFAULTS[FIELDS[field]]}, description="The {field}.")'
        for field in fields
    ]
    model = sources.VALIDATED if "pydantic" in sources.LIBRARIES.get(area, "") else sources.PLAIN
    columns = [f"    {field}: Mapped[{FIELDS[field]}] = mapped_column({COLUMNS[FIELDS[field]]})" for field in fields]
    table = sources.TABLE.substitute(values, columns="\n".join(columns))
    endings = {"records": table, "api": sources.ROUTER.substitute(values)}
    return sources.MODULE.substitute(
        values,
        libraries=sources.LIBRARIES.get(area, ""),
        imports="\n".join(
            f"from shop.{other}.{what} import {constant}"
            for (other, what), constant in zip(related, constants, strict=True)
        ),
        constant=_constant(area, thing),
        related=", ".join(constants),
        limits=", ".join(f'"{field}": {numbers.randint(10, 999)}' for field in fields),
        prefix=f"{area[:2].upper()}{numbers.randint(10, 99)}",
        attributes="\n".join(f"    {field}: {FIELDS[field]} = {DEFAULTS[FIELDS[field]]}" for field in fields),
        model=model.substitute(values, fields="\n".join(described)),
        functions="\n".join(functions),
        ending=endings.get(area, ""),
    )


def _related(level: int, thing: str, things: list[str], numbers: random.Random) -> list[tuple[str, str]]:
    """The modules to import from, as area and thing."""
    foundation = things[:FOUNDATION]
    if level == 0:
        return [(AREAS[0], other) for other in numbers.sample(foundation, IMPORTED)] if thing not in foundation else []
    related = {(AREAS[0], THINGS[-1]), (AREAS[level - 1], thing)}
    shared = AREAS[: min(level, SHARED)]
    while len(related) < IMPORTED + 1:
        related.add((numbers.choice(shared), numbers.choice(things)))
    return sorted(related)


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
