"""Which threads an import leaves behind, and whether a child forked after the import can use the library.

    python native_threads.py            # every library below that is installed
    python native_threads.py numpy      # only these

Prints one row of a Markdown table for each. Every library is looked at in a process of its own.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

USES = {
    "numpy": "import numpy as n; a = n.ones((600, 600)); assert (a @ a)[0, 0] == 600",
    "scipy.linalg": (
        "import numpy as n, scipy.linalg as l; assert l.lu(n.eye(400) * 3)[2][1, 1] == 3; l.svd(n.ones((300, 300)))"
    ),
    "sklearn.cluster": (
        "import numpy as n; from sklearn.cluster import KMeans; x = n.random.rand(9000, 4);"
        "assert len(KMeans(3, n_init=2).fit(x).labels_) == 9000;"
        "from sklearn.ensemble import RandomForestClassifier as R; R(n_jobs=2).fit(x, x[:, 0] > .5)"
    ),
    "pandas": (
        "import io, pandas as p; f = p.DataFrame({'a': range(9000), 'b': ['x', 'y', 'z'] * 3000});"
        "assert f.groupby('b').a.sum()['x'] > 0; o = io.BytesIO();"
        "f.to_parquet(o); o.seek(0); assert len(p.read_parquet(o)) == 9000"
    ),
    "pyarrow.parquet": (
        "import io, pyarrow as a, pyarrow.parquet as q, pyarrow.compute as c; o = io.BytesIO();"
        "q.write_table(a.table({'a': list(range(200000)), 'b': list(range(200000))}), o, row_group_size=9000);"
        "o.seek(0); t = q.read_table(o, use_threads=True); assert c.sum(t['a']).as_py() > 0"
    ),
    "polars": (
        "import io, polars as p; f = p.DataFrame({'a': range(90000), 'b': ['x', 'y', 'z'] * 30000});"
        "assert f.lazy().group_by('b').agg(p.col('a').sum()).collect().height == 3; f.sort('a', descending=True);"
        "o = io.BytesIO(); f.write_parquet(o); o.seek(0); assert p.read_parquet(o).height == 90000;"
        "assert f.lazy().group_by('b').len().collect(engine='streaming').height == 3"
    ),
    "torch": (
        "import torch as t; t.set_num_threads(2); a = t.ones(900, 900); assert (a @ a)[0, 0] == 900;"
        "b = t.ones(50, requires_grad=True); (b * 2).sum().backward(); assert b.grad[0] == 2"
    ),
    "lightgbm": (
        "import numpy as n, lightgbm as l; x = n.random.rand(2000, 5);"
        "l.LGBMClassifier(n_estimators=5, n_jobs=2, verbose=-1).fit(x, x[:, 0] > .5).predict(x)"
    ),
    "xgboost": (
        "import numpy as n, xgboost as g; x = n.random.rand(2000, 5);"
        "g.XGBClassifier(n_estimators=5, n_jobs=2).fit(x, x[:, 0] > .5).predict(x)"
    ),
    "grpc": (
        "import grpc, concurrent.futures as f; s = grpc.server(f.ThreadPoolExecutor(2));"
        "p = s.add_insecure_port('127.0.0.1:0'); s.start(); c = grpc.insecure_channel(f'127.0.0.1:{p}');"
        "grpc.channel_ready_future(c).result(20); c.close(); s.stop(0).wait()"
    ),
    "tensorflow": "import tensorflow as t; a = t.ones((600, 600)); assert float(t.linalg.matmul(a, a)[0, 0]) == 600",
    "jax": "import jax.numpy as n; a = n.ones((600, 600)); assert float((a @ a)[0, 0]) == 600",
    "zmq": (
        "import zmq; c = zmq.Context(); a, b = c.socket(zmq.PAIR), c.socket(zmq.PAIR); a.bind('inproc://x');"
        "b.connect('inproc://x'); a.send(b'1'); assert b.recv() == b'1'; a.close(); b.close(); c.term()"
    ),
    "cv2": "import numpy as n, cv2; cv2.GaussianBlur(n.zeros((2000, 2000, 3), 'u1'), (9, 9), 0); cv2.setNumThreads(2)",
    "psycopg": (
        "import psycopg\ntry: psycopg.connect('host=127.0.0.1 port=1 connect_timeout=5')\n"
        "except psycopg.OperationalError: pass"
    ),
    "lxml.etree": "from lxml import etree as e; assert e.fromstring('<a><b/></a>').xpath('count(//b)') == 1",
    "cryptography.hazmat.primitives.ciphers.aead": (
        "from cryptography.hazmat.primitives.ciphers.aead import AESGCM as A; k = A(A.generate_key(128));"
        "assert k.decrypt(b'0' * 12, k.encrypt(b'0' * 12, b'text', None), None) == b'text'"
    ),
    "numba": (
        "import numba, numpy as n\n@numba.njit(parallel=True)\ndef f(a):\n s = 0.\n"
        " for i in numba.prange(len(a)): s += a[i]\n return s\nassert f(n.ones(90000)) == 90000"
    ),
    "numexpr": "import numexpr as e, numpy as n; a = n.ones(2000000); assert e.evaluate('a * 2 + 1')[5] == 3",
    "duckdb": (
        "import duckdb; assert duckdb.connect().execute('select sum(range) from range(3000000)').fetchone()[0] > 0"
    ),
    "uvloop": (
        "import asyncio, uvloop\nasync def f(): return await asyncio.to_thread(lambda: 5)\nassert uvloop.run(f()) == 5"
    ),
    "tokenizers": (
        "from tokenizers import Tokenizer as T, models as m; t = T(m.WordLevel({'a': 0}, 'a'));"
        "assert len(t.encode_batch(['a'] * 9000)) == 9000"
    ),
    "matplotlib.pyplot": "import io, matplotlib.pyplot as p; p.plot([1, 2]); p.savefig(io.BytesIO())",
    "sentry_sdk": "import sentry_sdk as s; s.init(); s.capture_message('x'); s.flush(1)",
    "ddtrace": "import ddtrace",
    "ray": "import ray",
}

LIMIT = 40
"""Seconds for a use. A bound against hanging."""

RUNTIMES = ("libc.so", "libc-", "ld-linux", "libstdc++", "libgcc_s", "libpthread", "libm.so", "libpython", "python3")


def mappings() -> list[tuple[int, int, str, str]]:
    """What is mapped into this process: start, end, mode and path."""
    found = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        fields = line.split(None, 5)
        start, end = (int(part, 16) for part in fields[0].split("-"))
        found.append((start, end, fields[1], fields[5].strip() if len(fields) > 5 else ""))
    return found


def owners(task: str, mapped: list[tuple[int, int, str, str]]) -> list[str]:
    """Libraries with code on a thread's stack, the one that started it last."""
    call = Path(f"/proc/self/task/{task}/syscall").read_text().split()
    if call[0] == "running":
        return ["(running)"]
    pointer = int(call[-2], 16)
    end = next(end for start, end, _, _ in mapped if start <= pointer < end)
    with open("/proc/self/mem", "rb", 0) as memory:
        memory.seek(pointer)
        words = [
            word for (word,) in struct.iter_unpack("<Q", memory.read((min(end, pointer + 65536) - pointer) // 8 * 8))
        ]
    names: dict[str, None] = {}
    for word in words:
        for start, stop, mode, path in mapped:
            if start <= word < stop and "x" in mode and path.startswith("/"):
                name = os.path.basename(path)
                if not name.startswith(RUNTIMES):
                    names.pop(name, None)
                    names[name] = None
    return list(names)


def threads() -> list[str]:
    """The other threads of this process, and whose they are."""
    mapped = mappings()
    others = [task for task in os.listdir("/proc/self/task") if int(task) != os.getpid()]
    found = []
    for task in others:
        name = Path(f"/proc/self/task/{task}/comm").read_text().strip()
        found.append(f"{name} of {' < '.join(owners(task, mapped)) or '?'}")
    return sorted(found)


def use_in_child(code: str) -> str:
    """How a forked process fares that uses the library."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        signal.alarm(LIMIT)
        try:
            exec(code, {})  # noqa: S102
        except BaseException as error:
            print(f"{type(error).__name__}: {error}"[:90], file=sys.stderr)
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {0: "works", -signal.SIGALRM: "**hangs**"}.get(status, f"**fails ({status})**")


def row(module: str) -> str:
    """One library's row of the table."""
    importlib.import_module(module)
    here = threads()
    first, after, second = use_in_child(USES[module]), threads(), use_in_child(USES[module])
    exec(USES[module], {})  # noqa: S102
    used = use_in_child(USES[module])
    top = module.partition(".")[0]
    names = importlib.metadata.packages_distributions().get(top, [top])
    version = importlib.metadata.version(names[0])
    shown = "; ".join(f"`{name}`" for name in here) or "none"
    left = "; ".join(f"`{name}`" for name in after) or "none"
    return f"| {module} {version} | {shown} | {left} | {first}, {second} | {used} |"


def main() -> None:
    """Print the rows."""
    if sys.argv[1:2] == ["--row"]:
        print(row(sys.argv[2]), flush=True)
        os._exit(0)
    for module in sys.argv[1:] or USES:
        done = subprocess.run([sys.executable, __file__, "--row", module], capture_output=True, text=True, check=False)
        print(
            done.stdout.strip() or f"| {module} | {(done.stderr.strip().splitlines() or ['?'])[-1][:90]} |", flush=True
        )


if __name__ == "__main__":
    main()
