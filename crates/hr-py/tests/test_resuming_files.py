"""What a program has open at a checkpoint, each process that goes on from there has for itself."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from harness.loop import Loop
from harness.shop import VALUES, edit, edit_until, shop

if TYPE_CHECKING:
    from harness.user import User


def test_a_file_that_is_being_read_goes_on_where_it_was(user: User) -> None:
    """The copies of a process share how far a file was read; those that go on must not."""
    user.place.write(shop(two="LINES = open('lines.txt', 'rb', buffering=0)\nLINES.readline()\n"))
    rest = "from shop import two\nprint('read', two.LINES.readline().decode().strip(), flush=True)\n"
    user.place.write({"lines.txt": "first\nsecond\nthird\n"})
    edit(user, "four", 3, rest)
    loop = Loop(user, "main.py")
    loop.expect("values ")
    for _ in range(3):
        assert "read second\n" in edit_until(user, loop, "four", "four", rest)[1]
    assert loop.interrupt() == -signal.SIGINT


SCRATCH = """\
import os, tempfile
FILE = tempfile.TemporaryFile(buffering=0)
FILE.write(b"before ")
OTHER = os.dup(FILE.fileno())
"""

WRITES_ON = """\
import os
from shop import two
two.FILE.write(b"after")
os.lseek(two.OTHER, 0, os.SEEK_SET)
print("holds", os.read(two.OTHER, 100), two.FILE.tell(), flush=True)
"""


def test_a_temporary_file_without_a_name_holds_what_it_held(user: User) -> None:
    """Whatever others have written to theirs since; and its duplicates are still the same open file."""
    user.place.write(shop(two=SCRATCH))
    edit(user, "four", 3, WRITES_ON)
    loop = Loop(user, "main.py")
    loop.expect("values ")
    for _ in range(3):
        assert "holds b'before after' 12\n" in edit_until(user, loop, "four", "four", WRITES_ON)[1]
    assert loop.interrupt() == -signal.SIGINT


CAPTURES = """\
import os, tempfile
SAVED, FILE = os.dup(1), tempfile.TemporaryFile(buffering=0)
os.dup2(FILE.fileno(), 1)
os.write(1, b"captured before")
"""

GIVES_BACK = """\
import os
from shop import two
os.write(1, b", captured after")
os.dup2(two.SAVED, 1)
os.lseek(two.FILE.fileno(), 0, os.SEEK_SET)
print("it was", two.FILE.read(), flush=True)
"""


def test_a_standard_stream_that_is_kept_under_another_number_is_given_back(user: User) -> None:
    user.place.write(shop(two=CAPTURES))
    edit(user, "four", 3, GIVES_BACK)
    loop = Loop(user, "main.py")
    loop.expect("values ")
    for _ in range(20):
        value = next(VALUES)
        edit(user, "four", value, GIVES_BACK)
        told = loop.expect(f" {value} 4 ")
        assert told.count("it was b'captured before") == 1
        assert f"four {value}.\\n, captured after'" in told
        if "resumed before shop.four " in told:
            break
    else:
        raise AssertionError(told)
    assert loop.interrupt() == -signal.SIGINT


OTHERS = {
    "null": ("NULL = open('/dev/null', 'w')\n", "two.NULL.write('x')", "1"),
    "closed": ("import os\nos.close(0)\n", "__import__('os').path.exists('/proc/self/fd/0')", "False"),
    "replaced": (
        "import os\nos.dup2(os.open('/dev/zero', os.O_RDONLY), 0)\n",
        "__import__('os').read(0, 2)",
        "b'\\x00\\x00'",
    ),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_programs_do_to_their_descriptors_is_kept(user: User, kind: str) -> None:
    source, look, expected = OTHERS[kind]
    user.place.write(shop(two=source))
    look = f"from shop import two\nprint('found', {look}, flush=True)\n"
    edit(user, "four", 3, look)
    loop = Loop(user, "main.py")
    loop.expect("values ")
    for _ in range(2):
        assert f"found {expected}\n" in edit_until(user, loop, "four", "four", look)[1]
    assert loop.interrupt() == -signal.SIGINT


def test_a_log_in_place_of_standard_output_is_a_point_of_no_return(user: User) -> None:
    log = "import os, sys\nLOG = os.open('log.txt', os.O_CREAT | os.O_WRONLY | os.O_TRUNC)\nos.dup2(LOG, 1)\n"
    user.place.write(shop(two=log + "os.close(LOG)\n"))
    show = "import os\nos.write(2, b'values shown ' + open('log.txt', 'rb').read() + b'.')\n"
    edit(user, "five", 4, show)
    loop = Loop(user, "-v", "main.py")
    loop.expect("log.txt is open for writing")
    value = next(VALUES)
    edit(user, "five", value, show)
    assert f"three.\nfour.\nfive {value}.\n" in loop.expect(f"five {value}.\n.") + f"five {value}.\n"
    assert loop.interrupt() == -signal.SIGINT
