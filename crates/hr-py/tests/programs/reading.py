"""Lets a run read from the script's own stdin, and then reads on itself."""

from app.main import ask
from hotreload import isolate_imports

with isolate_imports("app") as environment:
    print("run read", environment.communicate_isolated(environment.exec(ask)), flush=True)
