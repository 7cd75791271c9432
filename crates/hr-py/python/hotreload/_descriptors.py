"""The files that a program has open, and the same for a process that goes on in its place.

A fork shares each open file, and how far it has been read, with what it was forked from. What goes on from a checkpoint
has the standard streams of its own run besides. So here every descriptor beyond those the program began with is told
apart: another name of a standard stream, a file that is only read, and a temporary file without a name, which nobody
else can have, can be given to each process anew. For all others there is no such thing.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from typing import NamedTuple

STREAMS = (0, 1, 2)

SCRATCH_LIMIT = 1 << 20
"""Up to how many bytes in temporary files are copied."""

_HARMLESS = ("/dev/null", "/dev/urandom", "/dev/random", "/dev/zero")

_FLAGS = os.O_ACCMODE | os.O_APPEND | os.O_NONBLOCK | os.O_SYNC
"""Of the flags with which a file was opened, those that matter to whoever reads and writes it."""

Identity = tuple[int, int]
"""The device and inode of a file."""


class _Descriptor(NamedTuple):
    """What the kernel knows of a descriptor."""

    number: int
    file: Identity
    mode: int
    links: int
    size: int
    name: str
    flags: int
    offset: int
    inheritable: bool

    @classmethod
    def of(cls, number: int) -> _Descriptor | None:
        """None if nothing is open under that number."""
        try:
            status = os.fstat(number)
            name = os.readlink(f"/proc/self/fd/{number}")
            offset, flags = _told_of(number)
            inheritable = os.get_inheritable(number)
        except OSError:
            return None
        file = (status.st_dev, status.st_ino)
        mode, links, size = status.st_mode, status.st_nlink, status.st_size
        return cls(number, file, mode, links, size, name, flags & ~os.O_CLOEXEC, offset, inheritable)

    def is_harmless(self) -> bool:
        return self.name in _HARMLESS

    def is_only_read(self) -> bool:
        return self.flags & os.O_ACCMODE == os.O_RDONLY

    def is_scratch(self) -> bool:
        """Whether it is a temporary file that nobody else can open."""
        has_no_name = stat.S_ISREG(self.mode) and self.links == 0 and not self.name.startswith("/memfd:")
        return has_no_name and self.size <= SCRATCH_LIMIT and _holds_scratch(self.directory())

    def directory(self) -> str:
        """Where it was made."""
        return os.path.dirname(self.name)

    def obstacle(self) -> str | None:
        """Why no other process can have the like, for people."""
        if self.is_harmless() or self.is_scratch():
            return None
        if stat.S_ISSOCK(self.mode):
            return "a socket is open"
        if not stat.S_ISREG(self.mode) and not stat.S_ISDIR(self.mode):
            return f"{self.name} is open"
        return None if self.is_only_read() else f"{self.name} is open for writing"


class _Opened(NamedTuple):
    """An open file, under all of its numbers."""

    numbers: list[tuple[int, bool]]
    """Each with whether other programs inherit it."""
    source: int
    """Under which it is found later."""
    is_shared: bool
    """Whether it does not matter who else has it open."""
    file: Identity
    flags: int
    offset: int


class Remembered(NamedTuple):
    """The descriptors of a program at a checkpoint."""

    streams: list[tuple[int, int, bool]]
    """Names of standard streams: the number, the stream, whether other programs inherit it."""
    closed: list[int]
    """Standard streams that are closed."""
    opened: list[_Opened]
    scratch: dict[Identity, tuple[str, bytes]]
    """Where temporary files were made, and what is in them."""
    kept: list[int]
    """Files whose number is needed for a standard stream."""


class Descriptors:
    """The descriptors of a program, beyond those that it began with."""

    def __init__(self) -> None:
        self._not_ours = self._before_pause = _open() - {*STREAMS}
        self._streams = [found for found in map(_Descriptor.of, STREAMS) if found]

    def obstacles(self) -> Iterator[str]:
        """What stands against a checkpoint, for people."""
        for descriptor in self._ours():
            if self._stream(descriptor) is None and (obstacle := descriptor.obstacle()):
                yield obstacle

    def stdin(self) -> int | None:
        """A descriptor of the standard input that the program began with."""
        names = (descriptor for descriptor in self._ours() if self._stream(descriptor) == 0)
        return next((descriptor.number for descriptor in names), None)

    def remember(self) -> Remembered:
        """Take note of what is open, right before a checkpoint."""
        self._before_pause = _open()
        remembered = Remembered([], [], [], {}, [])
        try:
            self._note(list(self._ours()), remembered)
        except OSError:
            self.forget(remembered)
            raise
        return remembered

    def _note(self, ours: list[_Descriptor], remembered: Remembered) -> None:
        numbers = {descriptor.number for descriptor in ours}
        remembered.closed.extend(found.number for found in self._streams if found.number not in numbers)
        files = []
        for descriptor in ours:
            stream = self._stream(descriptor)
            if stream is None:
                files.append(descriptor)
            elif stream != descriptor.number:
                remembered.streams.append((descriptor.number, stream, descriptor.inheritable))
        for together in _by_open_file(files):
            remembered.opened.append(_note_opened(together, remembered))

    def forget(self, remembered: Remembered) -> None:
        """The program itself goes on, with what it has."""
        for number in remembered.kept:
            os.close(number)

    def restore(self, remembered: Remembered) -> None:
        """Give this process files of its own, each read or written as far as it was."""
        streams = {stream: _copy(stream) for stream in {stream for _, stream, _ in remembered.streams}}
        copies = {file: _scratch(*content) for file, content in remembered.scratch.items()}
        for opened in remembered.opened:
            _give(opened, copies.get(opened.file))
        for number, stream, inheritable in remembered.streams:
            os.dup2(streams[stream], number, inheritable)
        for number in (*streams.values(), *copies.values(), *remembered.kept, *remembered.closed):
            with contextlib.suppress(OSError):
                os.close(number)
        # What else was opened since the pause is none of the program's.
        self._not_ours |= _open() - self._before_pause - {*STREAMS}

    def _ours(self) -> Iterator[_Descriptor]:
        return filter(None, map(_Descriptor.of, sorted(_open() - self._not_ours)))

    def _stream(self, descriptor: _Descriptor) -> int | None:
        """The standard stream that the program began with and that this is a name of."""
        same = [found.number for found in self._streams if _is_same(found, descriptor)]
        return descriptor.number if descriptor.number in same else same[0] if same else None


def _note_opened(together: list[_Descriptor], remembered: Remembered) -> _Opened:
    first = together[0]
    source = first.number
    if source in STREAMS:
        source = _copy(source)
        remembered.kept.append(source)
    if first.is_scratch():
        remembered.scratch.setdefault(first.file, (first.directory(), _content(first)))
    elif not first.is_harmless():
        # Where that is not possible now, it would not be later.
        os.close(_open_again(source, first.flags))
    numbers = [(descriptor.number, descriptor.inheritable) for descriptor in together]
    return _Opened(numbers, source, first.is_harmless(), first.file, first.flags, first.offset)


def _is_same(stream: _Descriptor, descriptor: _Descriptor) -> bool:
    """Whether both are one open file, beyond reasonable doubt."""
    if stream.file != descriptor.file or stream.flags != descriptor.flags:
        return False
    now = _Descriptor.of(stream.number)
    # How far a stream has come by now cannot be asked if its number is another file's.
    return not stat.S_ISREG(stream.mode) or now is None or now.file != stream.file or now.offset == descriptor.offset


def _open() -> set[int]:
    # The one that lists them is among them, and gone when this returns.
    return {number for number in map(int, os.listdir("/proc/self/fd")) if _is_open(number)}


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _told_of(number: int) -> tuple[int, int]:
    # In bytes: a codec would be one more module that the program has loaded.
    with open(f"/proc/self/fdinfo/{number}", "rb") as information:
        lines = dict(line.split(b":", 1) for line in information if b":" in line)
    return int(lines[b"pos"]), int(lines[b"flags"], 8)


def _copy(number: int) -> int:
    """Another number for an open file, none of those of the standard streams, which may be free."""
    copy = os.dup(number)
    if copy not in STREAMS:
        return copy
    try:
        return _copy(number)
    finally:
        os.close(copy)


def _by_open_file(descriptors: Iterable[_Descriptor]) -> list[list[_Descriptor]]:
    """Descriptors of one open file together: they share how far it was read."""
    groups: list[list[_Descriptor]] = []
    for descriptor in descriptors:
        for group in groups:
            if group[0].file == descriptor.file and _move_together(group[0], descriptor):
                group.append(descriptor)
                break
        else:
            groups.append([descriptor])
    return groups


def _move_together(one: _Descriptor, other: _Descriptor) -> bool:
    if one.flags != other.flags or one.offset != other.offset or one.is_harmless():
        return False
    try:
        os.lseek(one.number, one.offset + 1, os.SEEK_SET)
        moved = os.lseek(other.number, 0, os.SEEK_CUR) != other.offset
        os.lseek(one.number, one.offset, os.SEEK_SET)
    except OSError:
        return False
    return moved


def _open_again(number: int, flags: int) -> int:
    return os.open(f"/proc/self/fd/{number}", flags & _FLAGS | os.O_CLOEXEC)


def _content(descriptor: _Descriptor) -> bytes:
    readable = _open_again(descriptor.number, os.O_RDONLY)
    try:
        return os.pread(readable, descriptor.size, 0)
    finally:
        os.close(readable)


def _holds_scratch(directory: str) -> bool:
    try:
        os.close(os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError:
        return False
    return True


def _scratch(directory: str, content: bytes) -> int:
    number = os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    os.pwrite(number, content, 0)
    return number


def _give(opened: _Opened, copy: int | None) -> None:
    """Open a file for this process alone, under the numbers that it had."""
    own = opened.source
    if not opened.is_shared:
        source = opened.source if copy is None else copy
        own = _open_again(source, opened.flags)
        os.lseek(own, opened.offset, os.SEEK_SET)
    for number, inheritable in opened.numbers:
        if number != own:
            os.dup2(own, number, inheritable)
    if own != opened.source:
        os.close(own)
