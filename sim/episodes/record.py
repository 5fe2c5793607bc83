"""Recording: run the expert, or whoever acts, on a batch of seeds and write down everything, for a dataset."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sim.camera import ImageSize
from sim.embodiment.model import Embodiment
from sim.envs.env import Env
from sim.episodes.recorder import EpisodeRecorder
from sim.expert.perturb import sample_perturbations
from sim.expert.policy import ExpertPolicy
from sim.task.spec import Task
from sim.types import STEPS_PER_IMAGE, AttemptFailure, Episode, FailedAttempt


class RecordedActor(Protocol):
    """Who acts in the worlds of a recording, all of which have started together."""

    def find_ended(self, step: int) -> NDArray[np.bool_]:
        """Return which worlds (n,) have nothing more to do at control step `step`; asked where a row has images."""
        ...

    def find_imaged(self, step: int) -> NDArray[np.bool_] | None:
        """Return in which worlds (n,) the row of a control step may be kept, None for all."""
        ...

    def act(self, step: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the actions (n d) wanted at a control step, and the offsets (n d) added before they are sent."""
        ...

    def build_attempt(self, i: int, recorder: EpisodeRecorder) -> Episode | FailedAttempt:
        """Return what came of world `i`, now that all have ended."""
        ...


def make_recording_env(
    task: Task, robot: Embodiment, worlds: int, cameras: Sequence[str] | None, size: ImageSize, depth: bool,
    variation: str,
) -> Env:  # fmt: skip
    """Return an environment for runs to be recorded in: success does not end a world."""
    return Env(
        task, robot, worlds, cameras, size, stop_at_success=False, variation=variation, depth=depth, track_progress=True
    )


def record_runs(
    env: Env, seeds: Sequence[int], begin: Callable[[], RecordedActor]
) -> Generator[Episode | FailedAttempt, None, None]:
    """Run every seed once, as worlds of one batch, and yield what came of them in the order of `seeds`.

    `begin` makes who acts, once the worlds stand ready. The environment is closed at the end.
    """
    low, high = np.array(env.robot.action_limits).T
    try:
        env.reset(seeds)
        actor = begin()
        recorder = EpisodeRecorder(env)
        for step in range(env.task.horizon + 1):
            if step % STEPS_PER_IMAGE == 0:
                env.end(actor.find_ended(step))
            recorder.capture_row(actor.find_imaged(step))
            if env.done.all():
                break
            actions, offsets = actor.act(step)
            # as kept: what is sent has the precision of what is stored, so that a replay is exact
            executed = np.clip(actions + offsets, low, high).astype(np.float32)
            recorder.capture_action(actions, executed)
            env.step(executed[:, None])
        for i in range(env.n):
            yield actor.build_attempt(i, recorder)
    finally:
        env.close()


def make_failed_attempt(env: Env, i: int, failure: AttemptFailure) -> FailedAttempt:
    """Return the attempt of world `i` as one of which nothing is recorded."""
    scene = env.scenes.scenes[i]
    return FailedAttempt(env.seeds[i], failure, 0 if scene is None else scene.attempt)


class _Demonstrator:
    """The expert, which acts from the start to the end of its plan."""

    def __init__(self, env: Env, perturbations: NDArray[np.float32]) -> None:
        self._env, self._perturbations = env, perturbations
        self._expert = ExpertPolicy(env)

    def find_ended(self, step: int) -> NDArray[np.bool_]:
        return self._expert.finished

    def find_imaged(self, step: int) -> None:
        return None

    def act(self, step: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self._expert.act().actions[:, 0], self._perturbations[:, step]

    def build_attempt(self, i: int, recorder: EpisodeRecorder) -> Episode | FailedAttempt:
        failure = self._expert.find_failure(i)
        if failure is not None and self._env.failure[i]:
            return make_failed_attempt(self._env, i, failure)
        return recorder.build_episode(i, bool(self._env.success[i]), failure)


def record_episodes(
    task: Task,
    robot: Embodiment,
    seeds: Sequence[int],
    cameras: Sequence[str] | None = None,
    size: ImageSize = (128, 128),
    depth: bool = False,
    variation: str = "clean",
    perturbation_rad: float = 0.0,
) -> Generator[Episode | FailedAttempt, None, None]:
    """Run the expert once on every seed, as worlds of one batch, and yield the episodes in the order of `seeds`.

    A run ends when the plan has ended or the horizon is reached; failed runs are yielded too, with success False and
    the reason in `failure`. A seed without a usable scene, or whose physics diverged, is a `FailedAttempt`.
    With `perturbation_rad` the joints are pushed off their targets (`sim.expert.perturb`); the actions are what was
    wanted, `executed` what was sent, within the robot's limits.
    """
    env = make_recording_env(task, robot, len(seeds), cameras, size, depth, variation)
    perturbations = np.stack([sample_perturbations(task, robot, seed, perturbation_rad) for seed in seeds])
    yield from record_runs(env, seeds, lambda: _Demonstrator(env, perturbations))
