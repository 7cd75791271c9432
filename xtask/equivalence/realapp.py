"""`fixtures/realapp`, served by uvicorn."""

from pathlib import Path

from equivalence.project import Project
from equivalence.tree import Constant, Variation

ROUTE = """

from grown import journal as _journal


@api.get("/journal")
def journal() -> dict[str, object]:
    return _journal.state()
"""


def _route(folder: Path) -> None:
    api = folder / "realapp" / "web" / "api.py"
    api.write_text(api.read_text(encoding="utf-8") + ROUTE, encoding="utf-8")


VARIATIONS = (
    Variation("realapp/data/frames.py", "round(float(revenue), 2)", ("round(float(revenue), 1)", "float(revenue) * 2")),
    Variation(
        "realapp/data/frames.py",
        "import pandas as pd\n",
        ("import pandas as pd\nimport pandas.plotting\n", "import numpy as np\nimport pandas as pd\n"),
    ),
    Variation("realapp/data/models.py", "String(20)", ("String(30)", "String(length=25)")),
    Variation(
        "realapp/data/models.py",
        "    revenue: Mapped[float]",
        ('    note: Mapped[str] = mapped_column(String(5), default="none")\n    revenue: Mapped[float]',),
    ),
    Variation("realapp/data/store.py", "order_by(Order.identifier)", ("order_by(Order.revenue)",)),
    Variation("realapp/data/store.py", "count * price", ("count * price * 2", "count + price")),
    Variation("realapp/learning/features.py", '== "cup"', ('== "tea"',)),
    Variation(
        "realapp/learning/model.py",
        "import StandardScaler",
        ("import MinMaxScaler as StandardScaler", "import RobustScaler as StandardScaler"),
    ),
    Variation("realapp/learning/model.py", "[[50.0, 1.0]]", ("[[60.0, 0.0]]", "[[5.0, 1.0]]")),
    Variation("realapp/site/pages.py", "orders of {{ title }}", ("orders of {{ title|upper }}", "of {{ title }}")),
    Variation(
        "realapp/site/configuration.py", "USE_TZ=True,", ("USE_TZ=False,", "USE_TZ=True,\n        APPEND_SLASH=0,")
    ),
    Variation(
        "realapp/site/configuration.py",
        '"django.contrib.auth"]',
        ('"django.contrib.auth", "django.contrib.sessions"]', '"django.contrib.auth", "django.contrib.sites"]'),
    ),
    Variation("realapp/settings.py", "(10, 20, 30, 40)", ("(10, 20, 30)", "(1, 2, 3, 4, 5)")),
    Variation("realapp/settings.py", '"cup": 9.9', ('"cup": 8.8', '"cup": 9.9, "pot": 25.0')),
    Variation(
        "realapp/main.py",
        "import json\n",
        ("import json\n\nimport joblib.hashing\n", "import json\n\nfrom scipy import constants\n"),
    ),
    Variation("realapp/main.py", 'f"{len(orders)} orders"', ('f"{len(orders)} rows"', "len(orders)")),
    Variation("realapp/web/service.py", 'title="prices"', ('title="list of prices"',)),
    Variation("realapp/web/service.py", "    price: float\n", ('    price: float\n    currency: str = "EUR"\n',)),
    Variation("realapp/web/client.py", "/prices/tea", ("/prices/cup",)),
    Variation("realapp/web/api.py", 'title="realapp"', ('title="a real application"', 'title="realapp", version="2"')),
    Variation("realapp/web/api.py", '"/constants"', ('"/numbers"',)),
    Variation(
        "realapp/web/api.py",
        "from fastapi import FastAPI\n",
        ("import httpx\nfrom fastapi import FastAPI\n", "import sklearn.cluster\nfrom fastapi import FastAPI\n"),
    ),
)

REALAPP = Project(
    fixture="realapp",
    packages=("realapp",),
    route=_route,
    warm=lambda port: ["uvicorn", "realapp.web.api:api", "--port", str(port)],
    cold=lambda place, port: [place.programs / "uvicorn", "realapp.web.api:api", "--port", str(port)],
    ready="Uvicorn running on",
    requests=("/summary", "/constants", "/numbers", "/openapi.json", "/docs", "/journal", "/missing"),
    variations=VARIATIONS,
    constants=(
        Constant("realapp/settings.py", "REVISION"),
        Constant("realapp/site/pages.py", "EDITION"),
        Constant("realapp/web/api.py", "VERSION"),
    ),
    options=("--watch", "grown/*.txt"),
)
