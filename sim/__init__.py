"""AIM, the world: tasks, scenes, engines, experts and recorded episodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.embodiment.model import Embodiment
    from sim.envs.env import Env
    from sim.envs.gym import TaskVectorEnv
    from sim.task.spec import Task

__version__ = "0.1.0"
DEFAULT_ROBOT = "aloha"


def make(task: str | Task, robot: str | Embodiment = DEFAULT_ROBOT, **options: Any) -> Env:  # noqa: ANN401 - those of Env
    """Return n worlds of a task on a robot, given by name or as values; keywords are those of `sim.envs.env.Env`."""
    from sim.envs.env import Env
    from sim.envs.gym import load_values

    return Env(*load_values(task, robot), **options)


def make_vec(task: str | Task, num_envs: int, **options: Any) -> TaskVectorEnv:  # noqa: ANN401 - those of TaskVectorEnv
    """Return a Gymnasium vector of a task that resets itself; keywords are those of `sim.envs.gym.TaskVectorEnv`."""
    from sim.envs.gym import TaskVectorEnv

    return TaskVectorEnv(num_envs, task, **options)
