"""What a learned policy remembers, tells the model and draws, for a model with random weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from spaces import make_arm
from torch import Tensor
from toy import CAMERAS, JOINTS, SAY

from aim import presets
from aim.data.transforms import Scale, Transform
from aim.model import text
from aim.model.batch import Context
from aim.model.flow import RowNoise
from aim.model.image_codec import Codec
from aim.model.world_action_model import WorldActionModel
from aim.policy import LearnedPolicy
from aim.util.seeds import make_generator
from sim.types import Observation, UserError

PLAIN = Scale((0.0,) * JOINTS, (1.0,) * JOINTS, (True,) * JOINTS)
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the encoder of sentences, which takes seconds to load."""
    monkeypatch.setattr(
        text, "encode_sentences", lambda said, _: (torch.zeros(len(said), 1, 384), torch.ones(len(said), 1).bool())
    )


def make_policy(
    fovea: int = 0, relative: bool = False, geometry: bool = False, **options: Any  # noqa: ANN401
) -> LearnedPolicy:  # fmt: skip
    run = presets.tiny("aloha", CAMERAS, JOINTS, JOINTS)
    run = replace(run, model=replace(run.model, fovea=fovea, geometry=geometry))
    torch.manual_seed(0)
    space = make_arm(JOINTS) if relative else make_arm(0, JOINTS)
    transform = Transform(space, space, PLAIN, PLAIN, robot="aloha", size=(64, 64))
    codec, model = Codec(run.codec), WorldActionModel(run.model)
    torch.nn.init.normal_(codec.analysis, std=0.05)
    with torch.no_grad():
        model.heads["a"].out.weight.normal_(std=0.1)
    return LearnedPolicy(run, transform, codec, model, video_steps=1, action_steps=1, **options)


def seen(step: int, worlds: int = 2, executed: np.ndarray | None = None) -> Observation:
    """Return what is seen at a control step: pictures whose brightness is the step."""
    images = {camera: np.full((worlds, 64, 64, 3), step, np.uint8) for camera in CAMERAS}
    state = np.zeros((worlds, JOINTS), np.float32)
    return Observation(images, state, (SAY,) * worlds, np.full(worlds, step / 50), executed=executed)


class Told:
    """Writes down what the model of a policy was told, and its noise."""

    def __init__(self, policy: LearnedPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
        self.contexts: list[Context] = []
        self.seeds: list[list[int]] = []
        true = policy.model.predict_future_if_needed

        def predict_future(context: Context, steps: int, draws: RowNoise, *words: Any) -> Any:  # noqa: ANN401
            self.contexts.append(context)
            self.seeds.append([generator.initial_seed() for generator in draws.generators])
            return true(context, steps, draws, *words)

        monkeypatch.setattr(policy.model, "predict_future_if_needed", predict_future)


@pytest.mark.parametrize("horizon", [4, 8, 16])
def test_a_policy_is_told_what_was_seen_and_done_one_frame_ago_whatever_its_horizon(
    monkeypatch: pytest.MonkeyPatch, horizon: int
) -> None:
    policy = make_policy(execution_horizon=horizon)
    told, done, shown = Told(policy, monkeypatch), [], []
    for step in range(0, 48, horizon):
        chunk = policy.act(seen(step))
        assert chunk.execution_horizon == horizon and chunk.executable.shape[1] == horizon
        done.append(chunk.executable)
        context = told.contexts[-1]
        shown.append(context.rgb)
        assert context.past_valid.tolist() == [step >= 16] * 2
        if step >= 16:
            assert torch.equal(context.past_rgb[:, 0], shown[(step - 16) // horizon])
            carried_out = np.concatenate(done, 1)[:, step - 16 : step]
            np.testing.assert_allclose(context.past_action, carried_out, atol=1e-6)


@pytest.mark.parametrize("late", [0, 3, 9])
def test_a_policy_that_is_asked_late_is_told_that_the_last_action_was_held(
    monkeypatch: pytest.MonkeyPatch, late: int
) -> None:
    policy = make_policy()
    told = Told(policy, monkeypatch)
    done = policy.act(seen(0)).executable
    policy.act(seen(16 + late))
    held = np.concatenate([done, done[:, -1:].repeat(late, 1)], 1)[:, -16:]
    np.testing.assert_allclose(told.contexts[-1].past_action, held, atol=1e-6)


def test_a_history_counts_only_where_the_actions_are_known_too(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = make_policy()
    told = Told(policy, monkeypatch)
    policy.act(seen(0))
    policy.act(seen(16, executed=np.zeros((2, 12, JOINTS), np.float32)))
    assert told.contexts[-1].past_valid.tolist() == [False, False]
    policy.act(seen(32, executed=np.zeros((2, 4, JOINTS), np.float32)))
    assert told.contexts[-1].past_valid.tolist() == [True, True]


def test_past_actions_are_told_relative_to_the_state_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = make_policy(relative=True)
    told = Told(policy, monkeypatch)
    policy.act(seen(0))
    done, state = np.full((2, 16, JOINTS), 0.75, np.float32), np.full((2, JOINTS), 0.5, np.float32)
    chunk = policy.act(replace(seen(16, executed=done), state=state))
    assert (told.contexts[-1].past_action == 0.25).all() and (told.contexts[-1].state == 0.5).all()
    again = policy.transform.action_in(chunk.actions, state)
    np.testing.assert_allclose(chunk.actions - again, 0.5, atol=1e-6)


def test_a_time_is_the_nearest_control_step() -> None:
    policy = make_policy()
    assert 0.58 * 50 < 29  # in floating point
    policy.act(replace(seen(0), time=np.array([0.58, 0.012])))
    assert policy.history is not None and policy.history.step.tolist() == [29, 1]


def test_noise_follows_from_policy_seed_number_of_the_world_and_control_step(monkeypatch: pytest.MonkeyPatch) -> None:
    numbered, plain = make_policy(seed=5, worlds=(7, 3)), make_policy()
    for policy, seed, worlds in ((numbered, 5, (7, 3)), (plain, 0, (0, 1))):
        told = Told(policy, monkeypatch)
        for step in (0, 16):
            policy.act(seen(step))
            assert told.seeds[-1] == [make_generator(seed, "act", world, step).initial_seed() for world in worlds]


def test_a_reset_forgets_the_worlds_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = make_policy()
    told = Told(policy, monkeypatch)
    policy.act(seen(0))
    policy.reset(np.array([True, False]))
    policy.act(replace(seen(16), time=np.array([0.0, 0.32])))
    assert told.contexts[-1].past_valid.tolist() == [False, True]


def test_the_crop_follows_the_map_of_the_first_future_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """The peak is in row 30 of the first and in row 40 of the second frame; pictures hold their rows and columns."""
    policy = make_policy(fovea=16)
    maps = torch.stack([torch.zeros(2, 6, 1), torch.ones(2, 6, 1)], 1)  # (n f t c): the number of the frame

    def decode(tokens: Tensor, kind: str, views: int) -> tuple[Tensor]:
        assert views == 1, "only the first view is cropped"
        found = torch.zeros(2, 64, 64, 3, dtype=torch.uint8)
        for row, frame in enumerate(tokens[:, 0, 0].int().tolist()):
            found[row, (30, 40)[frame], 36] = 255
        return (found,)

    monkeypatch.setattr(policy.codec, "decode", decode)
    y, x = np.mgrid[:64, :64].astype(np.uint8)
    pictures = np.stack([y, x, y], -1)[None].repeat(2, 0)
    crop = policy.make_crop(pictures)
    assert crop is not None
    found = crop(maps)
    assert found.picture[:, 8, 8, :2].tolist() == [[30, 36], [30, 36]]
    assert make_policy().make_crop(pictures) is None


@pytest.mark.parametrize("part", ["depth", "intrinsics", "extrinsics"])
def test_a_policy_with_geometry_asks_for_all_it_takes_to_read_depth(part: str) -> None:
    deep = replace(
        seen(0), depth={name: np.ones((2, 64, 64), np.float32) for name in CAMERAS},
        intrinsics={name: np.eye(3) for name in CAMERAS},
        extrinsics={name: np.tile(np.eye(4), (2, 1, 1)) for name in CAMERAS},
    )  # fmt: skip
    policy, last = make_policy(geometry=True), CAMERAS[-1]
    assert np.isfinite(policy.act(deep).actions).all()
    lacking = {name: value for name, value in vars(deep)[part].items() if name != last}
    with pytest.raises(UserError, match=f"there is no {part} of {last}$"):
        policy.act(replace(deep, **{part: lacking}))
    make_policy().act(seen(0))


@pytest.mark.parametrize("mapped", [True, False])
def test_what_a_policy_that_learned_without_maps_imagines_has_none(mapped: bool) -> None:
    policy = make_policy(imagine=True)
    policy.transform = replace(policy.transform, mapped=mapped)
    kinds = ("images", "maps") if mapped else ("images",)
    assert set(policy.act(seen(0)).extras) == {f"{kind}/{camera}" for kind in kinds for camera in CAMERAS}


@pytest.mark.parametrize("imagine", [False, True])
def test_worlds_that_have_ended_are_left_out(imagine: bool) -> None:
    """The others act as if those were not there, whichever they are; those that begin again have no history."""
    policy = make_policy(imagine=imagine, worlds=(5, 6, 7))
    alone = policy.fork(policy.seed, (5, 7), imagine)
    rows, length = [0, 2], policy.run.model.past_frames * policy.run.model.actions_per_frame
    for step in range(0, 3 * length, length):
        active = np.array([True, step == 0, True])
        chunk = policy.act(replace(seen(step, 3), active=active))
        other = alone.act(seen(step))
        if step:  # the first time all three are a batch of their own
            np.testing.assert_allclose(chunk.actions[rows], other.actions, atol=1e-5)
            assert (chunk.actions[1] == 0).all() and chunk.execution_horizon == other.execution_horizon
            assert chunk.extras.keys() == other.extras.keys() and bool(chunk.extras) == imagine
            for name, value in other.extras.items():
                np.testing.assert_allclose(chunk.extras[name][rows].astype(int), value.astype(int), atol=1)
    history = policy.history
    assert history is not None
    assert history.step.tolist() == [2 * length, -1, 2 * length] and history.count[1] == 0
    again, fresh = policy.act(seen(3 * length, 3)), policy.fork(policy.seed, (6,), imagine).act(seen(3 * length, 1))
    np.testing.assert_allclose(again.actions[1], fresh.actions[0], atol=1e-5)
    assert (policy.act(replace(seen(0, 3), active=np.zeros(3, bool))).actions == 0).all()
    with pytest.raises(UserError, match=r"observation.active must be an array of bool, 3; it is of bool, 2"):
        policy.act(replace(seen(0, 3), active=np.ones(2, bool)))
