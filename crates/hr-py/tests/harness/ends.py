"""What programs do once they have told what they see, up to their ends: by subjects, and by name."""

from __future__ import annotations

import sys

ENDS: dict[str, dict[str, str]] = {
    "exceptions": {
        "at depth": """
            def sink(depth):
                return 1 / 0 if depth == 0 else sink(depth - 1)
            sink(5)
            """,
        "chained": """
            try:
                {}["key"]
            except KeyError as error:
                raise RuntimeError("wrapped") from error
            """,
        "syntax": "compile('if x\\n', 'somewhere.py', 'exec')",
        "missing module": "import module_that_nobody_has",
        "hook": "sys.excepthook = lambda kind, *_: print('hooked', kind.__name__); 1 / 0",
        "broken hook": "sys.excepthook = lambda *_: {}['hook']; 1 / 0",
        "in what is registered": "import atexit; atexit.register(lambda: 1 / 0)",
        "in a thread": """
            thread = threading.Thread(target=lambda: 1 / 0, name="worker")
            thread.start()
            thread.join()
            """,
        "stack of a warning": "import warnings; warnings.warn('from above', stacklevel=2)",
        "stack in a dump": "import faulthandler; faulthandler.dump_traceback()",
    },
    "exits": {
        "nothing": "",
        "without code": "sys.exit()",
        "code": "sys.exit(3)",
        "negative code": "sys.exit(-1)",
        "large code": "sys.exit(1000)",
        "truth value": "sys.exit(True)",
        "text": "sys.exit('said at the end')",
        "object": "sys.exit(['said', 'at the end'])",
        "something registered": """
            import atexit
            atexit.register(lambda: print("registered", __name__, globals().get("__file__")))
            sys.exit(4)
            """,
        "at once": "print('lost'); os._exit(5)",
        "within what is registered": "import atexit; atexit.register(sys.exit, 8)",
    },
    "signals": {
        "interrupt": "import atexit; atexit.register(print, 'cleaned up'); raise KeyboardInterrupt",
        "interrupt by signal": "os.kill(os.getpid(), signal.SIGINT); signal.pause()",
        "terminate": "os.kill(os.getpid(), signal.SIGTERM); signal.pause()",
        "terminate gracefully": """
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(6))
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
            """,
        "event loop": """
            import asyncio
            async def main():
                done = asyncio.Event()
                asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, done.set)
                os.kill(os.getpid(), signal.SIGTERM)
                await done.wait()
                print("terminated")
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.sleep(60)
            asyncio.run(main())
            """,
    },
    "threads and finalizers": {
        "threads": """
            import time
            def late():
                time.sleep(0.05)
                print("late", __name__)
            threading.Thread(target=late).start()
            threading.Thread(target=sys.exit, args=(7,)).start()
            print("main is done")
            """,
        "thread that nobody waits for": """
            running = threading.Event()
            def forever():
                running.set()
                threading.Event().wait()
            threading.Thread(target=forever, daemon=True).start()
            running.wait()
            """,
        "pool of threads": """
            from concurrent.futures import ThreadPoolExecutor
            pool = ThreadPoolExecutor(1)
            for number in range(3):
                pool.submit(print, "job", number)
            """,
        "file that is not closed": """
            held = open(os.path.join(os.environ["HOME"], "held"), "w")
            held.write("written")
            """,
        "finalizer": """
            class Owner:
                def __del__(self):
                    print("finalized")
            owner = Owner()
            """,
        "finalizer of a cycle": """
            class Owner:
                def __del__(self):
                    print("finalized", sys is not None, os is not None)
            owner = Owner()
            owner.itself = owner
            """,
        "event loop": """
            import asyncio
            async def main():
                await asyncio.sleep(0)
                raise ValueError("in the loop")
            asyncio.run(main())
            """,
    },
    "streams": {
        "full device": "sys.stdout = open('/dev/full', 'w'); print('never written')",
        "input": "print(repr(input('name? ')), sys.stdin.read())",
        "breakpoint": "breakpoint(); print('not reached')",
        "console": "import code; code.interact(local={'first': 1})",
        "closed descriptors": "os.closerange(3, 256); print('closed', len(os.listdir('/dev/fd')))",
        "descriptors of others": """
            import importlib, select, socket, time
            os.closerange(3, 1024)
            importlib.import_module("wa" + "ve")  # what a run tells of, as soon as it sleeps
            pairs = [socket.socketpair() for _ in range(150)]
            time.sleep(0)
            print("heard", select.select([one for pair in pairs for one in pair], [], [], 0)[0])
            """,
        "closed standard error": "os.close(2); print('closed'); sys.exit('said to nobody')",
        "closed standard output": "print('lost'); os.close(1)",
        "closed object": "sys.stdout.close()",
    },
    "recursion": {
        "to the limit": """
            def count(depth=0):
                try:
                    return count(depth + 1)
                except RecursionError:
                    return depth
            print(count())
            """,
        "to another limit": """
            sys.setrecursionlimit(9000)
            def count(depth=0):
                try:
                    return count(depth + 1)
                except RecursionError:
                    return depth
            print(count())
            count = lambda depth: count(depth + 1)
            count(0)
            """,
        "through native code": """
            def count(depth=0):
                try:
                    return max([depth], key=lambda _: 0) if depth < 0 else max(map(count, [depth + 1]))
                except RecursionError:
                    return depth
            print(count())
            """,
        "in a parser": "compile('(' * 150 + ')' * 150, 'deep', 'eval'); compile('(' * 300, 'deeper', 'eval')",
    },
    "forks": {
        "child that comes to the end": """
            import atexit
            atexit.register(lambda: print("registered", child == 0))
            class Owner:
                def __del__(self):
                    print("finalized", self.place)
            owner = Owner()
            child = os.fork()
            owner.place = "parent" if child else "child"
            if child:
                print(os.waitpid(child, 0)[1])
            """,
        "child that exits": """
            child = os.fork()
            if child == 0:
                sys.exit(9)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            """,
        "child that fails": """
            child = os.fork()
            if child == 0:
                1 / 0
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            """,
        "child that leaves at once": """
            child = os.fork()
            if child == 0:
                os._exit(10)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            """,
        "itself again": """
            if "again" not in sys.argv:
                sys.stdout.flush()
                os.execv(sys.executable, [*sys.orig_argv, "again"])
            """,
        "other programs": """
            import subprocess
            print(subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True, text=True, check=True))
            """,
    },
    "children": {
        "by fork": """
            import multiprocessing
            with multiprocessing.get_context("fork").Pool(1) as pool:
                print(pool.map(work, [1, 2]))
            """,
        "by spawn": """
            import multiprocessing
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.map(work, [1, 2]))
            """,
        "by forkserver": """
            import multiprocessing
            from concurrent.futures import ProcessPoolExecutor
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("forkserver")) as pool:
                print(list(pool.map(work, [1, 2])))
            """,
        "not waited for": """
            import multiprocessing
            from concurrent.futures import ProcessPoolExecutor
            pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))
            pool.submit(print, "in a child", flush=True)
            """,
        "one process": """
            import multiprocessing
            process = multiprocessing.get_context("spawn").Process(target=sys.exit, args=(11,))
            process.start()
            process.join()
            print(process.exitcode)
            """,
    },
    "other programs within": {
        "file": """
            import pathlib, runpy
            other = pathlib.Path(os.environ["HOME"], "other.py")
            other.write_text("import sys; print(__name__, __file__, sys.argv[0]); answer = 42")
            print(runpy.run_path(str(other), run_name="__main__")["answer"], __name__)
            """,
        "module": """
            import runpy
            print(runpy.run_module("this", run_name="__main__")["d"]["A"])
            """,
        "text": "exec(compile('1 / 0', '<inner>', 'exec'), {'__name__': '__main__'})",
    },
}

if sys.version_info[:2] != (3, 12):
    # Only that version has what is registered for the end neither start threads nor fork. In a run it may.
    ENDS["threads and finalizers"]["thread of what is registered"] = """
        import atexit
        def late():
            thread = threading.Thread(target=print, args=("in a thread",))
            thread.start()
            thread.join()
        atexit.register(late)
        """

AT_EVERY_START = [
    ("exits", "something registered"),
    ("exceptions", "at depth"),
    ("signals", "interrupt"),
    ("threads and finalizers", "finalizer"),
    ("forks", "child that comes to the end"),
    ("forks", "itself again"),
]
"""Subjects and names of what may depend on how a program was started."""
