"""Gymnasium vectors of small worlds, and how what they return is compared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from sim import robots, tasks
from sim.envs.gym import TaskVectorEnv

FAST = {"robot": "panda", "cameras": ()}
HOME = np.array(robots.load_robot("panda").home_action, np.float32)


def robot_for(task: str) -> str:
    """Return the robot with as many arms as the task needs."""
    return "panda" if tasks.load_task(task).arms_needed == 1 else "aloha"


@contextmanager
def vector(num_envs: int = 2, task: str = "click_bell", **options: Any) -> Iterator[TaskVectorEnv]:  # noqa: ANN401
    """Make a vector and close it."""
    envs = TaskVectorEnv(num_envs, task, **{**FAST, **options})
    try:
        yield envs
    finally:
        envs.close()


def equal_trees(one: Any, other: Any) -> None:  # noqa: ANN401
    """Compare observations, infos or scenes: mappings, tuples, arrays, objects and None, of one type everywhere."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for name in one:
            equal_trees(one[name], other[name])
    elif isinstance(one, (tuple, list)) or (isinstance(one, np.ndarray) and one.dtype == object):
        for a, b in zip(one, other, strict=True):
            equal_trees(a, b)
    else:
        assert not isinstance(one, np.ndarray) or one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
