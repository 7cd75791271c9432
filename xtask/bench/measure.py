"""Runs a command once and prints what it took, as JSON: {"seconds", "peak_kb", "status"}."""

import json
import resource
import subprocess
import sys
import time

started = time.perf_counter()
status = subprocess.run(
    sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
).returncode
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps({"seconds": seconds, "peak_kb": peak, "status": status}))
