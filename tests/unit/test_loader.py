"""Pictures, states and actions of a sample belong to the moments that the loader promises."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from spaces import make_arm
from toy import CAMERAS, JOINTS, SAY, dataset, episode

from aim import presets
from aim.config import Run
from aim.data import loader
from aim.data.latents import Latents
from aim.data.loader import Loader, Motions, Windows, Words
from aim.data.transforms import Scale, Transform
from aim.data.view_pictures import read_view_pictures
from aim.train import schedule
from aim.util.seeds import make_generator
from sim.types import UserError

STEPS = (40, 16)  # of two episodes: 11 and 5 pictures
PLAIN = Scale((0.0,) * JOINTS, (1.0,) * JOINTS, (True,) * JOINTS)
RUN: Run = presets.tiny("aloha", CAMERAS, JOINTS, JOINTS)


@pytest.fixture
def clock() -> Loader:
    """Return a loader whose every number is a time: 1000 times the episode, plus the control step."""
    times = [1000.0 * e + np.arange(n, dtype=np.float32) for e, n in enumerate(STEPS)]
    action = np.repeat(np.concatenate(times)[:, None], JOINTS, 1)
    shown = [1000.0 * e + 4.0 * np.arange(n // 4 + 1) for e, n in enumerate(STEPS)]
    rows = torch.tensor(np.concatenate(shown), dtype=torch.float32)
    tokens = rows[:, None, None].expand(-1, RUN.model.tokens, RUN.model.token_channels)
    moves = Motions(np.zeros_like(action), action, np.cumsum([0, *STEPS]), (SAY, SAY))
    counts = [n // 4 for n in STEPS]
    every = Windows(np.repeat([0, 1], counts), np.concatenate([np.arange(n) for n in counts]))
    words = Words((torch.zeros(3, 384),), torch.zeros(2, dtype=torch.int64))
    starts = torch.tensor([0, 11, 16])
    plain = Transform(make_arm(0, JOINTS), make_arm(0, JOINTS), PLAIN, PLAIN)
    still = torch.zeros(1, 2, 3, 2, dtype=torch.int64)
    return Loader(RUN, Latents(tokens[None], -tokens[None], starts, still), moves, every, words, plain)


def test_every_part_of_a_sample_is_in_step(clock: Loader) -> None:
    for row in range(len(clock)):
        sample = clock.batch(np.array([row]))
        e, i = int(clock.windows.episode[row]), int(clock.windows.picture[row])
        base, end, now = 1000 * e, STEPS[e], 4 * i
        assert sample.context.rgb[0, 0, 0] == base + now
        assert sample.rgb[0, :, 0, 0].tolist() == [base + min(now + 16, end), base + min(now + 32, end)]
        assert sample.map[0, :, 0, 0].tolist() == [-(base + min(now + 16, end)), -(base + min(now + 32, end))]
        assert sample.action[0, :, 0].tolist() == [base + min(now + k, end - 1) for k in range(32)]
        assert bool(sample.context.past_valid[0]) == (i >= 4)
        if i >= 4:
            assert sample.context.past_rgb[0, 0, 0, 0] == base + now - 16
            assert sample.context.past_action[0, :, 0].tolist() == [base + now - 16 + k for k in range(16)]


def test_no_sample_reaches_into_another_episode(clock: Loader) -> None:
    sample = clock.batch(np.arange(len(clock)))
    episode = torch.from_numpy(clock.windows.episode).float()
    for part in (sample.context.past_rgb, sample.context.past_action, sample.rgb, -sample.map, sample.action):
        assert (part.flatten(1) // 1000 == episode[:, None]).all()


def test_actions_are_relative_to_the_state_the_chunk_starts_at(clock: Loader) -> None:
    state = np.repeat(np.arange(sum(STEPS), dtype=np.float32)[:, None], JOINTS, 1) / 4
    moves = dataclasses.replace(clock.moves, state=state)
    apart = Transform(make_arm(JOINTS - 1, 1), make_arm(JOINTS - 1, 1), PLAIN, PLAIN)
    sample = Loader(RUN, clock.latents, moves, clock.windows, clock.words, apart).batch(np.array([5]))
    assert sample.context.state[0, 0] == min(20 / 4, 4.0)  # held within bounds
    assert sample.action[0, :4, 0].tolist() == [20 - 5, 21 - 5, 22 - 5, 23 - 5]
    assert sample.context.past_action[0, 0, 0] == 4 - 5
    assert sample.action[0, 0, -1] == 20


def test_a_dataset_on_the_disk_gives_its_own_numbers(tmp_path: Path) -> None:
    made = [episode(seed, side=32, pictures=4) for seed in range(2)]
    data = dataset(tmp_path / "toy", made, side=32)
    moves, every = loader.motions(data), loader.windows(data)
    np.testing.assert_array_equal(moves.action, np.concatenate([e.action for e in made]))
    np.testing.assert_array_equal(moves.state, np.concatenate([e.state[:-1] for e in made]))
    assert (every.episode.tolist(), every.picture.tolist()) == ([0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2])
    seen = read_view_pictures(data, data.episodes[1], RUN.codec, [2, 0])
    np.testing.assert_array_equal(seen[1, "map"], made[1].maps["left_wrist"][[2, 0]])
    assert seen[0, "rgb"].shape == (2, 64, 64, 3)
    transform = loader.fit_transform(RUN, moves, every, data)
    assert transform.action.moves == tuple(i in (0, 1) for i in range(JOINTS))  # too short to close


def test_numbers_that_are_not_finite_are_the_users_error(tmp_path: Path) -> None:
    good = episode(0, side=32, pictures=3)
    bad = dataclasses.replace(good, seed=1, state=np.where(np.arange(9)[:, None] == 5, np.nan, good.state))
    with pytest.raises(UserError, match="seed 1 is not finite"):
        loader.motions(dataset(tmp_path / "toy", [good, bad], side=32))


def test_every_row_comes_once_an_epoch_whatever_the_batch() -> None:
    for batch in (3, 7, 64):
        steps = [schedule.select_rows(5, "x", step, batch, 21) for step in range(21)]
        flat = np.concatenate(steps)[: 21 * 3]
        for epoch in range(3):
            assert sorted(flat[epoch * 21 : (epoch + 1) * 21].tolist()) == list(range(21))
    assert not np.array_equal(schedule.select_rows(5, "x", 0, 21, 21), schedule.select_rows(6, "x", 0, 21, 21))


def test_draws_of_a_step_depend_on_seed_stream_and_step_alone() -> None:
    def draw(*key: object) -> float:
        return torch.rand(1, generator=make_generator(*key)).item()  # type: ignore[arg-type]

    assert draw(1, "a", 2) == draw(1, "a", 2)
    assert len({draw(1, "a", 2), draw(2, "a", 2), draw(1, "b", 2), draw(1, "a", 3)}) == 4
