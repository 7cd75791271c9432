"""Calls functions of one module in runs, by reference and without importing the module itself.

Usage: caller.py MODULE. Each line of input is one call, as JSON: the name of the function, its arguments, and variables
to set before that. The template is brought up to date first. What the function returns is printed as JSON after
"RETURNED", and the type of an exception after "RAISED".
"""

import json
import os
import sys
from importlib.machinery import ModuleSpec
from types import FunctionType, ModuleType

from hotreload import isolate_imports


def stand_in(module: ModuleType, name: str) -> FunctionType:
    """Something with the name of that function."""
    function = FunctionType((lambda: None).__code__, vars(module), name)
    function.__module__, function.__qualname__ = module.__name__, name
    setattr(module, name, function)
    return function


if __name__ == "__main__":
    module = sys.modules[sys.argv[1]] = ModuleType(sys.argv[1])
    module.__spec__ = ModuleSpec(module.__name__, None)
    with isolate_imports(".") as environment:
        print("READY", flush=True)
        for line in sys.stdin:
            name, arguments, variables = json.loads(line)
            os.environ.update(variables)
            environment.update_environment()
            try:
                value = environment.communicate_isolated(environment.exec(stand_in(module, name), *arguments))
            except Exception as error:
                print("RAISED", type(error).__name__, flush=True)
            else:
                print("RETURNED", json.dumps(value), flush=True)
