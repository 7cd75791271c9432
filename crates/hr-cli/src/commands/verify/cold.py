import sys

place, kind, entry, report, first, *argv = sys.argv[1:]
with open(place, "rb") as source:
    code = compile(source.read(), place, "exec")
observe = {"__name__": "hotreload._observe"}
exec(code, observe)
sys.argv[:] = argv
if sys.path[:1] == [""]:
    sys.path[0] = first  # `-c` searches the working directory, unless told not to
observe["main"](kind, entry, report)
