"""Recording: rows, actions and images in step; executed commands replay to the bit; failures leave nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import failures
import numpy as np
import pytest
from numpy.typing import NDArray
from scenes import CLOSED, make_grip_task

from sim import robots, tasks
from sim.envs import settle
from sim.envs.env import Env
from sim.episodes import record
from sim.episodes.replay import replay_episode
from sim.types import STEPS_PER_IMAGE, ActionChunk, AttemptFailure, Episode, FailedAttempt, FailureCause

PANDA = robots.load_robot("panda")
BELL = tasks.load_task("click_bell")


def record_one(task: str, seed: int, variation: str = "clean", perturbation_rad: float = 0.0) -> Episode:
    """Return the episode of one seed on panda, head camera, 16 x 16."""
    episodes = record.record_episodes(
        tasks.load_task(task), PANDA, [seed], ("head",), (16, 16), False, variation, perturbation_rad
    )
    episode = next(episodes)
    assert isinstance(episode, Episode)
    return episode


@pytest.mark.parametrize(
    "options", [{}, {"variation": "random"}, {"perturbation_rad": 0.05}], ids=["clean", "random", "perturbed"]
)
@pytest.mark.parametrize("task", ["click_bell", "place_empty_cup"])
def test_executed_commands_lead_from_the_first_state_to_all_others(task: str, options: dict[str, Any]) -> None:
    episode = record_one(task, 3, **options)
    result = replay_episode(episode)
    assert result.exact and result.max_error == 0.0
    other = episode.executed.copy()
    other[10, 0] += 1e-3
    changed = replay_episode(replace(episode, executed=other))
    assert changed.first_difference == 11 and changed.max_error > 0.0


def test_a_replay_is_in_the_draw_of_the_seed_that_was_recorded() -> None:
    episode = record_one("click_bell", 3)
    assert episode.redraws == 0 and replay_episode(episode).exact
    assert not replay_episode(replace(episode, redraws=1)).exact  # there the bell stands elsewhere


def test_contacts_are_between_the_bodies_that_are_there() -> None:
    """An absent thing has no column among the bodies of an episode, and shifts none of the others."""
    task = make_grip_task(CLOSED)
    block = task.objects[0]
    crowded, free = replace(block.spawn, optional=True, apart=(("block", 9.0),)), replace(block.spawn, x=(-0.2, -0.1))
    others = replace(block, name="absent", spawn=crowded), replace(block, name="last", spawn=free)
    (episode,) = record.record_episodes(replace(task, objects=(block, *others)), PANDA, [0], ())
    assert isinstance(episode, Episode) and "absent" not in episode.bodies
    pairs = {frozenset((episode.bodies[a], episode.bodies[b])) for a, b in episode.contacts[["a", "b"]].tolist()}
    assert pairs == {frozenset(("table", name)) for name in ("block", "last")}


def test_executed_commands_are_perturbed_actions_within_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = record_one("click_bell", 0)
    low, high = np.array(PANDA.action_limits, np.float32).T
    assert np.array_equal(plain.executed, np.clip(plain.action, low, high))
    pushes = np.zeros((BELL.horizon + 1, len(PANDA.action_names)), np.float32)
    pushes[5:9, 1], pushes[9:12, 2] = 9.0, 0.01
    monkeypatch.setattr(record, "sample_perturbations", lambda *args: pushes)
    pushed = record_one("click_bell", 0, perturbation_rad=0.01)
    steps = len(pushed.action)
    assert np.array_equal(pushed.executed, np.clip(pushed.action + pushes[:steps], low, high).astype(np.float32))
    assert (pushed.executed[5:9, 1] == high[1]).all() and (pushed.action[5:9, 1] < high[1]).all()


class Scripted:
    """Moves one joint slowly; each world's plan ends after a number of steps of its own."""

    lengths = (6, 17, 40)

    def __init__(self, env: Env) -> None:
        self.env, self.steps = env, 0

    @property
    def finished(self) -> NDArray[np.bool_]:
        return self.steps >= np.array(self.lengths)

    def act(self) -> ActionChunk:
        self.steps += 1
        command = np.array(PANDA.home_action, np.float32)
        command[0] += 0.001 * self.steps
        return ActionChunk(np.repeat(command[None, None], self.env.n, axis=0))

    def find_failure(self, index: int) -> AttemptFailure:
        return AttemptFailure(FailureCause.PLAN_ENDED, f"world {index} gave up")


def test_worlds_that_end_at_different_times_have_rows_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "ExpertPolicy", Scripted)
    cup = tasks.load_task("place_empty_cup")
    batch = list(record.record_episodes(cup, PANDA, [0, 1, 2], ("head",), (16, 16), depth=True))
    for i, (episode, steps) in enumerate(zip(batch, (8, 20, 40), strict=True)):
        assert isinstance(episode, Episode)
        assert len(episode.action) == len(episode.executed) == steps
        for name in ("state", "tool_pose", "body_pose", "joint", "sim_state"):
            assert len(vars(episode)[name]) == steps + 1, name
        for name in ("images", "maps", "visible", "depth", "extrinsics"):
            assert len(vars(episode)[name]["head"]) == steps // STEPS_PER_IMAGE + 1, name
        assert set(episode.contacts["step"]) == set(range(steps + 1))
        assert np.allclose(np.diff(episode.action[:, 0]), 0.001, atol=1e-6)
        assert np.allclose(np.diff(episode.sim_state[:, 0]), 0.02)  # MuJoCo's clock: a row a control period
        assert not episode.success and str(episode.failure) == f"world {i} gave up"
        assert replay_episode(episode).exact


def test_a_world_whose_physics_diverged_is_a_failed_attempt_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    alone = record_one("click_bell", 2)
    monkeypatch.setattr(record, "ExpertPolicy", failures.Diverging)
    first, broken, third = record.record_episodes(BELL, PANDA, [0, 1, 2], ("head",), (16, 16))
    assert broken == FailedAttempt(
        1,
        AttemptFailure(
            FailureCause.PHYSICS_DIVERGED, "physics diverged: position and velocity and acceleration not finite"
        ),
    )
    assert isinstance(first, Episode) and first.success
    assert isinstance(third, Episode) and third.sim_state.tobytes() == alone.sim_state.tobytes()
    assert list(tmp_path.iterdir()) == []  # no MUJOCO_LOG.TXT


def test_a_seed_without_a_scene_is_a_failed_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "sample_scene", failures.sample_no_scene_of_seed_3)
    attempts = list(record.record_episodes(BELL, PANDA, [2, 3], (), (16, 16)))
    assert attempts[1] == FailedAttempt(3, AttemptFailure(FailureCause.NO_STABLE_SCENE, "no room for bell"))
    assert isinstance(attempts[0], Episode) and attempts[0].success
    assert list(record.record_episodes(BELL, PANDA, [3], (), (16, 16))) == [attempts[1]]


def test_what_a_world_records_does_not_depend_on_the_others() -> None:
    together = list(record.record_episodes(BELL, PANDA, [0, 1], ("head",), (16, 16)))
    for episode in together:
        alone = record_one("click_bell", episode.seed)
        assert isinstance(episode, Episode)
        assert len(alone.action) == len(episode.action)
        for name in ("sim_state", "contacts", "executed", "body_pose"):
            assert vars(alone)[name].tobytes() == vars(episode)[name].tobytes(), name
        assert np.array_equal(alone.images["head"], episode.images["head"])


def test_image_i_shows_row_4_i() -> None:
    episode = record_one("click_bell", 0)
    env = Env(BELL, PANDA, 1, ("head",), (16, 16), stop_at_success=False)
    env.reset([0])
    for step, command in enumerate(episode.executed):
        if step % STEPS_PER_IMAGE == 0:
            assert np.array_equal(env.observe().images["head"][0], episode.images["head"][step // STEPS_PER_IMAGE])
        env.step(command[None, None])
    assert np.array_equal(env.observe().images["head"][0], episode.images["head"][-1])
    env.close()


def test_without_cameras_nothing_is_rendered() -> None:
    episode = next(record.record_episodes(BELL, PANDA, [0], ()))
    assert isinstance(episode, Episode) and episode.success
    assert not episode.images and not episode.maps and episode.provenance.renderer == ""
    assert record_one("click_bell", 0).provenance.renderer != ""


def test_who_stops_reading_early_closes_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []
    monkeypatch.setattr(Env, "close", lambda env: closed.append(env))
    episodes = record.record_episodes(BELL, PANDA, [0, 1], (), (16, 16))
    assert isinstance(episodes, Iterator)
    next(episodes)
    assert not closed
    episodes.close()
    assert len(closed) == 1
