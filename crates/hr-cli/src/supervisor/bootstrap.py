import sys

at_startup = frozenset(sys.modules)

from importlib.machinery import PathFinder  # noqa: E402
from importlib.util import module_from_spec  # noqa: E402

if sys.path[:1] == [""]:
    del sys.path[0]  # `-c` searches the working directory; a template does not
spec = PathFinder.find_spec("hotreload", [sys.argv[1]])
if spec is None or spec.loader is None:
    sys.exit(f"the hotreload package is no longer in {sys.argv[1]}")
sys.modules["hotreload"] = package = module_from_spec(spec)
spec.loader.exec_module(package)

from hotreload._template import main  # noqa: E402

main(at_startup)
