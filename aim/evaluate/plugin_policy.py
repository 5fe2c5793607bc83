"""Policies from outside the package: a class with `reset` and `act`, named by its module or file.

`MODULE:CLASS` or `FILE.py:CLASS`. The class is called with the robot (`sim.embodiment.model.Embodiment`) and meets the
protocol `sim.types.Policy`. A class attribute `cameras` names what it looks at; without it, it is shown every camera of
the robot.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

from sim.embodiment.model import Embodiment
from sim.types import Policy, UserError

METHODS = ("reset", "act")


class PolicyClass(Protocol):
    """A class of policies for any robot."""

    def __call__(self, robot: Embodiment) -> Policy:
        """Make a policy for a robot."""
        ...


@runtime_checkable
class CameraSelecting(Protocol):
    """A class of policies that says which cameras it looks at."""

    cameras: tuple[str, ...]


def is_plugin_reference(policy: str) -> bool:
    """Whether a policy's name is that of a class outside the package."""
    return ":" in policy and not Path(policy).exists()


def load_policy_class(reference: str) -> PolicyClass:
    """Class of "MODULE:CLASS" or "FILE.py:CLASS"; `UserError` where it is not there or has not `reset` and `act`."""
    place, _, name = reference.rpartition(":")
    module = _import_file(Path(place)) if place.endswith(".py") else _import_module(place)
    classes = {key: value for key, value in vars(module).items() if inspect.isclass(value)}
    fitting = [
        key for key, value in classes.items() if all(callable(inspect.getattr_static(value, m, None)) for m in METHODS)
    ]
    if name not in classes:
        raise UserError(f"{place} has no class {name!r}; classes with {' and '.join(METHODS)}: {_join(fitting)}")
    found = classes[name]
    lacking = [method for method in METHODS if not callable(inspect.getattr_static(found, method, None))]
    if lacking:
        raise UserError(
            f"{reference} has no method {', '.join(lacking)}; a policy has reset(mask) and act(observation)"
        )
    return cast(PolicyClass, found)


def make_plugin_policy(reference: str, robot: Embodiment) -> Policy:
    """Policy of a class for a robot; `UserError` where the class does not take one."""
    found = load_policy_class(reference)
    try:
        inspect.signature(found).bind(robot)
    except TypeError as error:
        raise UserError(f"{reference} must take the robot alone, as in __init__(self, robot): {error}") from error
    return found(robot)


def list_cameras(reference: str, robot: Embodiment) -> tuple[str, ...]:
    """Cameras that a class looks at: its own choice, or all of the robot; `UserError` for one that the robot lacks."""
    found = load_policy_class(reference)
    if not isinstance(found, CameraSelecting):
        return robot.camera_names
    check_cameras(reference, found.cameras, robot)
    return tuple(found.cameras)


def check_cameras(policy: str, cameras: Sequence[str], robot: Embodiment) -> None:
    """Raise `UserError` where a policy looks at cameras that the robot lacks."""
    unknown, names = [name for name in cameras if name not in robot.camera_names], ", ".join(robot.camera_names)
    if unknown:
        raise UserError(f"{policy} looks at {', '.join(unknown)}; the robot {robot.name} has {names}")


def compute_source_digest(reference: str) -> str:
    """Digest of the source file of a class, so that results of another version are not mixed with this one's."""
    source = inspect.getsourcefile(cast(type, load_policy_class(reference)))
    assert source is not None
    return hashlib.sha256(Path(source).read_bytes()).hexdigest()[:16]


def _import_module(name: str) -> object:
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` does
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UserError(f"no module {error.name!r} for the policy; give MODULE:CLASS or FILE.py:CLASS") from error
    except Exception as error:
        raise UserError(f"{name!r} cannot be imported: {type(error).__name__}: {error}") from error


def _import_file(path: Path) -> object:
    if not path.is_file():
        raise UserError(f"no file {path} for the policy; give MODULE:CLASS or FILE.py:CLASS")
    name = f"aim_policy_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[name]
            raise UserError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    return sys.modules[name]


def _join(names: list[str]) -> str:
    return ", ".join(names) or "none"
