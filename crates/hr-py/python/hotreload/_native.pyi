"""The compiled part: the protocol, the supervisor's client, and the loop of paused processes."""

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from hotreload._events import BuildEvent

_Function = TypeVar("_Function", bound=Callable[..., Any])

__version__: str

PayloadParts = tuple[list[int], bytes | None, int | None]

def pages_copied() -> int:
    """Pages that were faulted in and are not more memory than before. Only differences tell anything."""

class Results:
    """Where a run sends what came of its call, once."""

    def returned(self, lengths: list[int], inline: bytes | None, descriptor: int | None) -> None: ...
    def system_exit(self, lengths: list[int], inline: bytes | None, descriptor: int | None) -> None: ...
    def raised(self, exception: PayloadParts | None, type_name: str, traceback: str) -> None: ...
    def unpicklable(self, type_name: str, message: str) -> None: ...

class AuditFilter:
    """A hook for ``sys.addaudithook`` that calls ``listener`` for some events, while it is told to listen."""

    def __init__(self, events: list[str], listener: Callable[[str, tuple[Any, ...]], None]) -> None: ...
    def listen(self, listening: bool) -> None: ...
    def redirect(self, events: list[str], listener: Callable[[str, tuple[Any, ...]], None]) -> None: ...
    def __call__(self, event: str, args: tuple[Any, ...]) -> None: ...

def content_of(path: str) -> int | None:
    """A hash of what is in a small file; ``None`` for what cannot be read, or is none."""

class Before:
    """In place of a method, or of a function: ``listener`` gets the object and the arguments before each call.

    An exception that the listener returns is raised in place of the call. ``failed`` gets what the method raises, its
    traceback, and the rest. ``undisturbed``, the listener has the program's signals wait.
    """

    def __init__(
        self,
        method: Callable[..., Any],
        listener: Callable[..., BaseException | None],
        failed: Callable[..., None] | None = None,
        *,
        undisturbed: bool = False,
        is_static: bool = False,
    ) -> None: ...
    def __call__(self, *arguments: Any, **options: Any) -> Any: ...

def Undisturbed(function: _Function) -> _Function:  # noqa: N802 - a class; what matters is that it is called the same
    """What ``function`` does, while the program's signals wait. A class may have it as a method."""

class Job:
    """A call, and the process it is to happen in."""

    argv: list[str]
    sys_path: list[str]
    environment: dict[bytes, bytes]
    stdio: tuple[bool, bool, bool]
    main_name: str | None
    main_file: str | None
    module: str | None
    """The module that the function is imported from, if there is one."""
    program: tuple[str, str, str | None] | None
    """The program: ``script`` and its path, ``module`` and its name, or ``function``, its module, and its name."""
    run: int
    """The number of the run that this process is. It changes when another run goes on from what this one has done."""
    reloaded: bool
    early: bool
    """Whether what a server imports in its event loop is imported before."""
    entry: str | None
    """What is imported right before the first event loop is made, as well."""
    checkpointing: tuple[int, int, list[str], int | None] | None
    """How many checkpoints are worth keeping, how much time they may cost in percent, files that were edited lately,
    and what one costs in microseconds, if that is known; nothing if none are to be left."""
    result: Results

    @staticmethod
    def rehearsal(
        argv: list[str],
        sys_path: list[str],
        environment: dict[bytes, bytes],
        module: str,
        lengths: list[int],
        inline: bytes | None,
    ) -> Job:
        """A job whose result nobody reads, with all standard streams."""

    def has_environment(self, block: bytes) -> bool:
        """Whether ``environment`` is what ``/proc/PID/environ`` shows as ``block``."""

    def take_function(self) -> PayloadParts: ...
    def note_loaded(self, modules: list[str]) -> None: ...
    def note_sources(self, own: list[tuple[str, list[str]]], outside: list[tuple[str, list[str]]]) -> None: ...
    def note_reloader_off(self, library: str) -> None: ...
    def note_needs_event_loop(self, module: str) -> None: ...
    def note_imports_over(
        self, modules: int, micros: int, obstacle: tuple[str, str] | None, cost: int | None
    ) -> None: ...
    def pause(self, before: tuple[str, str], so_far: tuple[int, int, int], describe: Callable[[], Any], /) -> bool:
        """Leave a checkpoint before a module and its file. Whether this is a run that goes on from it."""

class Server:
    """Serves the supervisor behind ``descriptor`` once it is called, as an excepthook, and does not return.

    ``interpreter`` has the methods of ``_template.Template``.
    """

    def __init__(self, descriptor: int, interpreter: Any) -> None: ...
    def __call__(self, *exception: Any) -> NoReturn: ...

class State:
    """A template, for people."""

    supervisor: int
    template: int
    modules: list[str]
    excluded: list[tuple[str, str, str, int]]
    problems: list[tuple[str, int, int, str]]

class Update:
    """What an update found and did."""

    changed: bool
    added: list[str]
    removed: list[str]
    files: list[str]
    reason: str
    state: State

class Run:
    """A run, as its client sees it."""

    pid: int

    def wait(self) -> tuple[str, Any, int | None]:
        """Wait for the end: kind of the outcome, its content, and the exit code or negative signal.

        Kinds and contents: ``returned`` and ``exited`` with a payload, ``raised`` with an optional payload, the type's
        name and the traceback, ``unpicklable`` with the type's name and a message, ``none`` with ``None``.
        """

    def stop(self) -> bool: ...

class Supervisor:
    """A connection to a supervisor that this process owns."""

    @staticmethod
    def start(program: str) -> Supervisor: ...
    def open(
        self,
        target: str,
        is_path: bool,
        ignored_modules: list[str],
        preload: list[str],
        import_limit: float | None,
        executable: str,
        options: list[str],
        version: tuple[int, int],
        platform: str,
        argv: list[str],
        sys_path: list[str],
        stdlib: list[str],
        builtins: list[str],
        environment: dict[bytes, bytes],
        package_directory: str,
        spares: int | None,
        checkpoints: int | None,
        on_event: Callable[[BuildEvent], object] | None,
    ) -> State: ...
    def exec(
        self,
        argv: list[str],
        sys_path: list[str],
        environment: dict[bytes, bytes],
        main_name: str | None,
        main_file: str | None,
        module: str | None,
        lengths: list[int],
        inline: bytes | None,
        descriptor: int | None,
    ) -> Run: ...
    def update(self, on_event: Callable[[BuildEvent], object] | None = None) -> Update: ...
    def status(self) -> State: ...
    def close(self) -> None: ...
