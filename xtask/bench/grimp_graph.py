"""Builds grimp's graph of all packages in a directory, without its cache."""

import os
import sys

import grimp

top = sys.argv[1]
sys.path.insert(0, top)
packages = [name for name in sorted(os.listdir(top)) if os.path.exists(os.path.join(top, name, "__init__.py"))]
graph = grimp.build_graph(*packages, include_external_packages=True, cache_dir=None)
print(len(graph.modules))
