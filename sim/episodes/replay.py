"""Replay: run a recorded episode again from its first state with the commands that were executed, and compare states.

Neither expert nor policy takes part, so a replay is exact wherever the physics and the sampling of scenes are: with the
same version of MuJoCo and NumPy on the same kind of processor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim import robots
from sim.embodiment.model import Embodiment
from sim.episodes.provenance import collect_provenance
from sim.scene.sample import sample_scene
from sim.task.spec import Task, from_json
from sim.types import Episode, UserError
from sim.world import make_world
from sim.world.protocol import WORLD_CONTACT, WorldSnapshot


@dataclass(frozen=True)
class ReplayResult:
    """How a replay compares with what was stored: the first row that differs (None: none does) and by how much."""

    first_difference: int | None
    max_error: float  # of any number of the physics state, in all rows

    @property
    def exact(self) -> bool:
        """Whether every stored state was reached to the bit."""
        return self.first_difference is None


def replay_episode(
    episode: Episode, task: Task | None = None, robot: Embodiment | None = None, engine: str = "mujoco"
) -> ReplayResult:
    """Step the stored first state of an episode through its executed commands; task and robot are its own by default.

    `UserError` where the scene of its seed is not the one that it was recorded in.
    """
    task = from_json(episode.task) if task is None else task
    robot = robots.load_robot(episode.robot) if robot is None else robot
    world = make_world(engine, task, robot, 1, 1)
    try:
        world.load({0: sample_scene(task, robot, episode.seed, episode.variation, episode.redraws)})
        size = len(world.save()[0].physics)
        if size != episode.sim_state.shape[1]:
            raise UserError(
                f"seed {episode.seed} gives a scene of {size} state variables, {episode.sim_state.shape[1]} were "
                "stored: task, robot or the sampling of scenes have changed since"
            )
        command = _find_first_command(episode, robot)
        world.restore({0: WorldSnapshot(episode.sim_state[0], command, np.zeros(0, WORLD_CONTACT))})
        reached = [world.save()[0].physics]
        for command in episode.executed:
            world.step(command[None].astype(float), np.ones(1, bool))
            reached.append(world.save()[0].physics)
    finally:
        world.close()
    differs = (np.stack(reached) != episode.sim_state).any(axis=1)
    return ReplayResult(
        int(np.argmax(differs)) if differs.any() else None,
        float(np.abs(np.stack(reached) - episode.sim_state).max()),
    )


def _find_first_command(episode: Episode, robot: Embodiment) -> NDArray[np.float64]:
    """Return the command (d,) that the servos held at row 0: an episode may begin in the middle of a run."""
    if not len(episode.first_command):
        return np.array(robot.home_action, float)
    low, high = np.array(robot.action_limits, float).T
    return np.clip(episode.first_command.astype(float), low, high)  # as the engine does when it is told


def explain_inexact_replay(episode: Episode) -> str:
    """Say what of the episode's provenance lets its replay differ in the last bits here; "" where it must be exact."""
    ours = collect_provenance(rendered=False)
    names = {"MuJoCo": "mujoco", "NumPy": "numpy", "processor": "cpu"}
    return ", ".join(
        f"{name} {vars(episode.provenance)[field] or 'unknown'} (here {vars(ours)[field]})"
        for name, field in names.items()
        if vars(episode.provenance)[field] != vars(ours)[field]
    )
