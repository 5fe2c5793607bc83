"""Ways in which an attempt leaves nothing to record: physics that diverge, and a seed without a scene."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

from aim.data.collect.jobs import RecordingJob, simulate_episodes
from sim.embodiment.model import Embodiment
from sim.envs import settle
from sim.episodes import record
from sim.expert.policy import ExpertPolicy
from sim.scene.sample import NoRoom, SceneSample, sample_scene
from sim.task.spec import Task
from sim.types import ActionChunk, Episode, FailedAttempt, Observation
from sim.world.mujoco import MujocoWorld

DIVERGING_SEED, UNSTABLE_SEED = 1, 3


class Diverging(ExpertPolicy):
    """The expert, in whose world of DIVERGING_SEED everything is thrown faster than physics can follow."""

    def act(self, observation: Observation | None = None) -> ActionChunk:
        """Return the expert's actions."""
        env = self._env
        if env.steps.max() == 10 and DIVERGING_SEED in env.seeds and isinstance(env.world, MujocoWorld):
            _, data = env.world.mujoco_pair(env.seeds.index(DIVERGING_SEED))
            data.qvel[:] = 1e14
        return super().act(observation)


def sample_no_scene_of_seed_3(task: Task, robot: Embodiment, seed: int, variation: str, attempt: int) -> SceneSample:
    """Sample a scene, but none of UNSTABLE_SEED."""
    if seed == UNSTABLE_SEED:
        raise NoRoom("no room for bell")
    return sample_scene(task, robot, seed, variation, attempt)


def simulated_with_failures(order: RecordingJob) -> Iterator[Episode | FailedAttempt]:
    """Yield the episodes of an order with both failures among them; to be called in a worker."""
    with (
        patch.object(record, "ExpertPolicy", Diverging),
        patch.object(settle, "sample_scene", sample_no_scene_of_seed_3),
    ):
        yield from simulate_episodes(order)
