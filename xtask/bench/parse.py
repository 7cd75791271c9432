"""Finds all import statements below a directory with Python's own parser."""

import ast
import os
import sys
import warnings

warnings.simplefilter("ignore")
found = 0
for directory, _, files in os.walk(sys.argv[1]):
    for name in files:
        if name.endswith(".py"):
            with open(os.path.join(directory, name), "rb") as file:
                source = file.read()
            try:
                tree = ast.parse(source)
            except (SyntaxError, ValueError):
                continue
            found += sum(isinstance(node, (ast.Import, ast.ImportFrom)) for node in ast.walk(tree))
print(found)
