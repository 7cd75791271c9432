"""What Python's own parser says about the imports of all files below some directories, as JSON lines.

For each file: its path, and either "error" or "imports", a list of
[module, names or null, line, column, in function] where relative modules are resolved against PACKAGE.
"""

import ast
import importlib.util
import json
import os
import re
import sys
import tokenize
import warnings

PACKAGE = "a.b.c.d.e.f.g.h"


def imports(tree, lines):
    found = []

    def column(node):
        return len(lines[node.lineno - 1].encode()[: node.col_offset].decode()) + 1

    # An explicit stack: some test files are nested deeper than Python's own recursion limit.
    stack = [(tree, False)]
    while stack:
        node, in_function = stack.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.append([alias.name, None, node.lineno, column(node), in_function])
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            if node.level:
                module = importlib.util.resolve_name(module, PACKAGE)
            names = [[alias.name, alias.asname] for alias in node.names]
            found.append([module, names, node.lineno, column(node), in_function])
        body_is_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for field, value in ast.iter_fields(node):
            inner = in_function or (body_is_function and field == "body")
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, (ast.stmt, ast.excepthandler, getattr(ast, "match_case", ast.stmt))):
                    stack.append((child, inner))
    return sorted(found, key=lambda one: (one[2], one[3], one[0]))


def main():
    warnings.simplefilter("ignore")
    for top in sys.argv[1:]:
        for directory, subdirectories, files in os.walk(top):
            subdirectories[:] = sorted(set(subdirectories) - {"site-packages", "__pycache__"})
            for name in sorted(files):
                if not name.endswith(".py"):
                    continue
                path = os.path.join(directory, name)
                answer = {"path": path}
                try:
                    with open(path, "rb") as file:
                        source = file.read()
                    tree = ast.parse(source, path)
                    with tokenize.open(path) as file:
                        text = file.read()
                except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                    answer["error"] = f"{type(error).__name__}: {error}"
                else:
                    answer["imports"] = imports(tree, re.split("\r\n|\r|\n", text))
                print(json.dumps(answer))


main()
