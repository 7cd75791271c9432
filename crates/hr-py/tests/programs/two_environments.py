"""Has two environments open at once, and prints what is seen in each, as JSON."""

import json

from app.main import pids
from hotreload import isolate_imports
from other.main import pids as other_pids

with isolate_imports("app") as first:
    with isolate_imports("other") as second:
        seen = {
            "first": [first.communicate_isolated(first.exec(pids))[1], first.template_pid],
            "second": [second.communicate_isolated(second.exec(other_pids))[1], second.template_pid],
        }
    seen["first, later"] = [first.communicate_isolated(first.exec(pids))[1], first.template_pid]

print(json.dumps(seen))
