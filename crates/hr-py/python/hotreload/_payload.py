"""Objects on their way between processes.

An object becomes sections: its pickle, then the buffers that pickle protocol 5 leaves out of it. Few bytes travel
inside a message; many lie in shared memory, where the receiver maps them instead of copying.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import pickle
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

INLINE_LIMIT = 64 * 1024
"""Bytes up to which a payload travels inside a message. A socket takes that much without a reader."""

ALIGNMENT = 64
"""Sections in shared memory begin at multiples of this, as numpy's allocations do."""

Pickler = Callable[..., Any]

_PLAIN = frozenset({bool, bytes, complex, float, int, str, type(None)})


class Payload(NamedTuple):
    """Sections, either in ``inline`` or in the memory behind ``descriptor``, which its receiver owns."""

    lengths: list[int]
    inline: bytes | None
    descriptor: int | None


class _Chunks:
    """A file that keeps what is written to it, without copying large pieces."""

    def __init__(self) -> None:
        self.chunks: list[Any] = []
        self.size = 0

    def write(self, chunk: Any) -> int:
        length = len(chunk)
        self.chunks.append(chunk)
        self.size += length
        return length


def pack(value: object, pickler: Pickler) -> Payload:
    """Pickle ``value`` with ``pickler``, a class such as :class:`pickle.Pickler`."""
    pickled = _Chunks()
    buffers: list[pickle.PickleBuffer] = []
    pickler(pickled, protocol=5, buffer_callback=buffers.append).dump(value)
    sections: list[tuple[int, Sequence[Any]]] = [(pickled.size, pickled.chunks)]
    for buffer in buffers:
        raw = buffer.raw()
        sections.append((raw.nbytes, [raw]))
    lengths = [length for length, _ in sections]
    if sum(lengths) <= INLINE_LIMIT:
        return Payload(lengths, b"".join(bytes(chunk) for _, chunks in sections for chunk in chunks), None)
    return Payload(lengths, None, _share(sections))


def is_plain(values: Iterable[object]) -> bool:
    """Whether every pickler makes the same of ``values``."""
    return all(type(value) in _PLAIN for value in values)


def pack_plain(value: object) -> Payload:
    """What :func:`pack` makes of objects that need no pickler of their own, in a tenth of the time."""
    pickled = pickle.dumps(value, protocol=5)
    if len(pickled) <= INLINE_LIMIT:
        return Payload([len(pickled)], pickled, None)
    return Payload([len(pickled)], None, _share([(len(pickled), [pickled])]))


def _share(sections: list[tuple[int, Sequence[Any]]]) -> int:
    descriptor = _above_streams(os.memfd_create("hotreload", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING))
    try:
        offset = 0
        for length, chunks in sections:
            position = offset
            for chunk in chunks:
                position = _write_all(descriptor, memoryview(chunk).cast("B"), position)
            offset = _aligned(offset + length)
        os.ftruncate(descriptor, offset)
        # The receiver maps this: it must never shrink under its eyes.
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _above_streams(descriptor: int) -> int:
    """The same file under a number that is no standard stream's, should one of these be closed."""
    if descriptor > 2:
        return descriptor
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, chunk: memoryview, position: int) -> int:
    while chunk:
        written = os.pwrite(descriptor, chunk, position)
        chunk = chunk[written:]
        position += written
    return position


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT


def unpack(payload: Payload) -> Any:
    """The object that was packed. Large buffers of it live in the mapped memory, writable and private."""
    lengths, inline, descriptor = payload
    if inline is not None:
        return _load(memoryview(bytearray(inline)), lengths, alignment=1)
    if descriptor is None:
        raise ValueError("a payload without its memory")
    try:
        memory = mmap.mmap(descriptor, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    finally:
        os.close(descriptor)
    return _load(memoryview(memory), lengths, alignment=ALIGNMENT)


def _load(memory: memoryview, lengths: list[int], alignment: int) -> Any:
    sections = []
    offset = 0
    for length in lengths:
        sections.append(memory[offset : offset + length])
        offset = -(-(offset + length) // alignment) * alignment
    return pickle.loads(sections[0], buffers=sections[1:])
