"""Ends without ever leaving the `with` block."""

from app.main import answer
from hotreload import isolate_imports

environment = isolate_imports("app").__enter__()
print(environment.communicate_isolated(environment.exec(answer)))
