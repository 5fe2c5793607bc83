"""How a roll-out carries out chunks and takes pictures, in worlds that end when they are told to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from aim.evaluate.closed_loop import _split_chunk, roll_out
from aim.evaluate.rollout_video import select_predicted_frame
from sim.envs.env import Env
from sim.types import ActionChunk, Observation, UserError


class Countdown:
    """Worlds that end after so many control steps each; a picture shows the number of the step."""

    def __init__(self, *ends: int) -> None:
        self.ends, self.steps, self.n = np.array(ends), np.zeros(len(ends), int), len(ends)
        self.robot = SimpleNamespace(camera_names=("head",))
        self.taken: list[float] = []  # the actions of the first world

    @property
    def done(self) -> NDArray[np.bool_]:
        return self.steps >= self.ends

    def observe(self) -> Observation:
        return Observation({}, np.zeros((self.n, 1), np.float32), ("",) * self.n, self.steps / 50)

    def step(self, actions: NDArray[np.float32]) -> None:
        for action in actions.transpose(1, 0, 2):
            self.taken.append(float(action[0, 0]))
            self.steps = np.where(self.done, self.steps, self.steps + 1)

    def render_camera(self, camera: str, size: tuple[int, int]) -> NDArray[np.uint8]:
        return np.broadcast_to(self.steps[:, None, None, None], (self.n, *size, 3)).astype(np.uint8)


class Plan:
    """Plans eight actions, numbered by the step they are for, of which `horizon` are to be carried out."""

    def __init__(self, horizon: int) -> None:
        self.horizon, self.asked, self.reset_worlds = horizon, [], []

    def reset(self, mask: NDArray[np.bool_]) -> None:
        self.reset_worlds.append(mask.tolist())

    def act(self, observation: Observation) -> ActionChunk:
        step = round(float(observation.time.max()) * 50)
        self.asked.append(step)
        numbered = np.arange(step, step + 8, dtype=np.float32)
        return ActionChunk(np.tile(numbered[None, :, None], (len(observation.state), 1, 1)), {}, self.horizon)


def test_only_what_is_to_be_carried_out_of_a_chunk_is() -> None:
    env, policy = Countdown(12, 9), Plan(3)
    assert roll_out(cast(Env, env), policy) == []
    assert policy.asked == [0, 3, 6, 9] and policy.reset_worlds == [[True, True]]
    assert env.taken == list(range(12))


@pytest.mark.parametrize(("answer", "said"), [
    (ActionChunk(np.zeros((1, 0, 1), np.float32)), r"actions of shape \(1, 0, 1\); valid: \(worlds, 1 or more steps"),
    (ActionChunk(np.zeros((1, 0, 1), np.float32), {}, 3), r"actions of shape \(1, 0, 1\)"),
    (ActionChunk(np.zeros(3, np.float32)), r"actions of shape \(3,\)"),
    (ActionChunk(np.zeros((8, 1), np.float32)), r"actions of shape \(8, 1\)"),
    (ActionChunk(np.zeros((1, 8, 1), np.float32), {}, -8), "execution_horizon -8; valid: 0, for all"),
    (ActionChunk(np.zeros((1, 8, 1), np.float32), {}, cast(int, 2.0)), "execution_horizon 2.0; valid"),
    (np.zeros((1, 8, 1), np.float32), r"answers with a sim\.types\.ActionChunk, not with ndarray"),
    (None, "not with NoneType"),
])  # fmt: skip
@pytest.mark.parametrize("film", [None, (2, 2)])
def test_an_answer_that_would_not_move_the_world_on_ends_the_attempt(
    answer: object, said: str, film: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    env, policy = Countdown(12), Plan(3)

    def act(observation: Observation) -> object:
        policy.asked.append(0)
        assert len(policy.asked) < 5, "it is asked for ever"
        return answer

    monkeypatch.setattr(policy, "act", act)
    with pytest.raises(UserError, match=said) as error:
        roll_out(cast(Env, env), policy, film=film)
    assert "\n" not in str(error.value) and len(policy.asked) == 1 and not env.taken


@pytest.mark.parametrize("horizon", [3, 8])
def test_a_world_has_a_picture_every_four_steps_and_one_of_its_end(horizon: int) -> None:
    env = Countdown(6, 10)
    rollouts = roll_out(cast(Env, env), Plan(horizon), film=(2, 2))
    shown = [[int(picture[0, 0, 0]) for picture in rollout.real] for rollout in rollouts]
    assert shown == [[0, 4, 6], [0, 4, 8, 10]]  # the first stands still at 6 when the picture of step 8 is taken


def test_parts_of_a_chunk_end_where_pictures_are_due() -> None:
    chunk = ActionChunk(np.zeros((1, 16, 1), np.float32), {}, 10)
    assert list(_split_chunk(chunk, 6, True)) == [(0, 2), (2, 6), (6, 10)]
    assert list(_split_chunk(chunk, 8, True)) == [(0, 4), (4, 8), (8, 10)]
    assert list(_split_chunk(chunk, 6, False)) == [(0, 10)]


def test_a_picture_stands_beside_the_prediction_for_its_time_or_the_next() -> None:
    """Predicted frame i is due 16 (i + 1) control steps after the chunk began."""
    frames = np.arange(2, dtype=np.uint8)[None, :, None, None, None]
    extras = {"images/head": frames, "maps/head": 10 + frames}
    for step, frame in ((1, 0), (4, 0), (16, 0), (17, 1), (32, 1), (40, 1)):
        found = select_predicted_frame(extras, "head", step, 16)
        assert [part.item() for part in found if part is not None] == [frame, 10 + frame], step
    picture, no_map = select_predicted_frame({"images/head": frames}, "head", 4, 16)
    assert picture is not None and picture.item() == 0 and no_map is None
