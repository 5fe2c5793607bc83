# MuJoCo's bindings are compiled and carry no types that a checker finds: everything in them is Any.
from typing import Any

def __getattr__(name: str) -> Any: ...
