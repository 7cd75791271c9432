"""Run Python functions in fresh processes that have your third-party imports behind them.

>>> from hotreload import isolate_imports
>>> with isolate_imports("my_package") as environment:          # doctest: +SKIP
...     process = environment.exec(print, "hello from a process of its own")
...     environment.communicate_isolated(process)
...     environment.update_environment()
"""

from hotreload._environment import (
    ExcludedModule,
    IsolatedEnvironment,
    IsolatedProcess,
    Problem,
    UpdateReport,
    isolate_imports,
)
from hotreload._errors import (
    EnvironmentClosed,
    HotreloadError,
    RunExited,
    RunTraceback,
    SupervisorDied,
    UnpicklableError,
)
from hotreload._events import (
    BuildEvent,
    ImportContinues,
    ImportStarted,
    ModuleExcluded,
    ModuleImported,
    TemplateReady,
)

__all__ = [
    "BuildEvent",
    "EnvironmentClosed",
    "ExcludedModule",
    "HotreloadError",
    "ImportContinues",
    "ImportStarted",
    "IsolatedEnvironment",
    "IsolatedProcess",
    "ModuleExcluded",
    "ModuleImported",
    "Problem",
    "RunExited",
    "RunTraceback",
    "SupervisorDied",
    "TemplateReady",
    "UnpicklableError",
    "UpdateReport",
    "isolate_imports",
]
