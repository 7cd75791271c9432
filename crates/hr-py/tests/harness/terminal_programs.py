"""Programs that use a terminal."""

QUESTION = """
print("hello", input("name? "))
input("more? ")
"""

WHISPERED = """
import getpass
import sys
sys.tracebacklimit = 0
print("got", getpass.getpass())
"""

DEBUGGED = """
def double(value):
    return value * 2

breakpoint()
x = double(21)
print("end", x)
"""

INTERPRETER = """
import code
import readline
code.interact(banner="Welcome", local={}, exitmsg="")
"""

SERVER = """
import atexit
import os
import signal
import time

atexit.register(print, "atexit")
def main():
    try:
        os.write(1, b"Serving version 1\\n")
        while True:
            time.sleep(0.1)
    except KeyboardInterrupt:
        print("interrupted")
        raise
    finally:
        print("finally")
try:
    main()
except KeyboardInterrupt:
    os.write(1, b"over\\n")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    raise SystemExit(7)
"""

PLAIN_SERVER = """
import os
import sys
import time
sys.tracebacklimit = 0  # where exactly it is interrupted does not matter
os.write(1, b"Serving version 1\\n")
while True:
    time.sleep(0.1)
"""

HANDLER = """
import os
import signal
import sys
import time

def end(number, frame):
    os.write(1, f"handled {signal.Signals(number).name}\\n".encode())
    sys.exit(3)

for number in (signal.SIGINT, signal.SIGQUIT):
    signal.signal(number, end)
os.write(1, b"Serving\\n")
while True:
    time.sleep(0.1)
"""

STUBBORN = """
import os
import signal
import subprocess
import sys

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
os.write(1, f"Serving 1 {child.pid}.\\n".encode())
while True:
    signal.pause()
"""

ECHO = """
print("version 1", flush=True)
while True:
    print("got", input(), flush=True)
"""

SIZE = """
import os
import signal
import time

def tell(*_):
    os.write(1, "size {} {}\\n".format(*os.get_terminal_size()).encode())

signal.signal(signal.SIGWINCH, tell)
tell()
while True:
    time.sleep(0.1)
"""

RAW = """
import os
import tty
tty.setraw(0)
os.write(1, b"Version 1\\r\\n")
while (key := os.read(0, 1)) != b"q":
    os.write(1, b"key " + key + b"\\r\\n")
"""

FULL_SCREEN = """
import curses

def main(screen):
    screen.addstr(0, 0, "Full screen 1")
    while True:
        screen.refresh()
        key = screen.getkey()
        if key == "q":
            break
        screen.addstr(1, 0, "key " + key)

curses.wrapper(main)
print("After")
"""

JOBS = """
import os
import signal
import subprocess

def foreground():
    os.setpgrp()
    os.tcsetpgrp(0, os.getpgrp())

signal.signal(signal.SIGTTOU, signal.SIG_IGN)
subprocess.run(["sh", "-c", "read line; echo child $line"], preexec_fn=foreground)
foreground()
print("back", input("more? "))
"""
