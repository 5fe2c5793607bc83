"""Moved pictures: what moves with them, that nothing else does, and that the model is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from encoded import encode_directly
from models import CONFIGS, S_ACTION, S_VIDEO, inputs, randomised
from models import context as context_of
from toy import CAMERAS, JOINTS, dataset, episode

from aim import presets
from aim.config import DataConfig, Run, View
from aim.data import latents, loader, patch_points, source
from aim.data.loader import Loader, Words
from aim.model.image_codec import Codec, compute_principal_axes, extract_patches, set_linear_code, shift_pictures
from aim.model.world_action_model import WorldActionModel
from sim.types import UserError

torch.set_num_threads(1)
MOVING = DataConfig(shift_augmentations=2, max_shift_px=5)
SIDE = 32  # pixels of a token


def tiny() -> Run:
    run = presets.tiny("aloha", CAMERAS, JOINTS, JOINTS)
    return replace(run, model=replace(run.model, shift_conditioning=True), data=MOVING)


def linear_codec() -> Codec:
    """Return a codec with a linear code of random pictures alone."""
    codec = Codec(presets.tiny("aloha", CAMERAS, JOINTS, JOINTS).codec)
    noise = torch.rand(64, 3, 64, 64, generator=torch.Generator().manual_seed(0)) - 0.5
    set_linear_code(
        codec, *compute_principal_axes(extract_patches(noise, codec.config.factor), codec.config.latent_channels)
    )
    return codec.eval()


@pytest.mark.parametrize(("down", "right"), [(3, 0), (-2, 5), (0, -7), (0, 0)])
def test_content_moves_and_edges_repeat(down: int, right: int) -> None:
    x = torch.rand(2, 3, 16, 24)
    after = shift_pictures(x, down, right)
    assert after.shape == x.shape
    for row in range(16):
        for column in range(24):
            there = min(max(row - down, 0), 15), min(max(column - right, 0), 23)
            assert torch.equal(after[:, :, row, column], x[:, :, there[0], there[1]])


def test_moving_by_a_token_moves_the_tokens() -> None:
    """Seen on the inner column of a head of two by two tokens: the backdrop stays, the content goes over."""
    codec = linear_codec()
    draw = torch.Generator().manual_seed(1)
    for view in range(3):
        codec.get_buffer(f"backdrop_{view}").uniform_(-0.5, 0.5, generator=draw)
    sizes = [(view.height, view.width) for view in codec.config.views]
    pictures = [torch.randint(0, 255, (2, h, w, 3), dtype=torch.uint8, generator=draw) for h, w in sizes]
    differences = [codec.compute_difference(p, view, "rgb") for view, p in enumerate(pictures)]
    with torch.no_grad():
        before, after = codec.encode(pictures, "rgb"), codec.encode(pictures, "rgb", [(0, SIDE), (0, 0), (0, 0)])
        by_hand = codec.encode_difference(shift_pictures(differences[0], 0, SIDE))[0]
        seen = codec.encode_difference(differences[0])[0]
    assert torch.equal(after[:, 4:], before[:, 4:]), "the views that stay stay"
    assert torch.equal(after[:, [1, 3]], before[:, [0, 2]])
    assert torch.allclose(by_hand[..., 2:], seen[..., :2], atol=1e-5)


def test_versions_follow_from_the_episode_alone(tmp_path: Path) -> None:
    codec = linear_codec()
    data = source.of(dataset(tmp_path / "all", [episode(seed, pictures=5) for seed in range(3)]))
    few = source.of(dataset(tmp_path / "few", [episode(seed, pictures=5) for seed in range(2)]))
    made = encode_directly(codec, data, MOVING)
    plain = encode_directly(codec, data)
    assert made.rgb.shape == (3, 15, *plain.rgb.shape[2:]) and made.shifts.shape == (3, 3, 3, 2)
    assert torch.equal(made.rgb[0], plain.rgb[0]) and torch.equal(made.map[0], plain.map[0])
    assert not made.shifts[0].any() and made.shifts[1:].abs().max() <= MOVING.max_shift_px
    assert len(made.shifts[1:].flatten(0, 2).unique(dim=0)) > 10
    again = encode_directly(codec, few, MOVING)
    assert torch.equal(again.shifts, made.shifts[:, :2]) and torch.equal(again.rgb, made.rgb[:, :10])
    kept = latents.cached(tmp_path / "kept", codec, data, MOVING)
    read = latents.cached(tmp_path / "kept", codec, data, MOVING)
    assert all(torch.equal(vars(kept)[name], vars(read)[name]) for name in ("rgb", "map", "starts", "shifts"))
    assert torch.equal(latents.cached(tmp_path / "kept", codec, data, DataConfig()).rgb, plain.rgb)


def test_the_loader_gives_the_version_and_its_shift(tmp_path: Path) -> None:
    run, data = tiny(), source.of(dataset(tmp_path / "toy", [episode(seed, pictures=9) for seed in range(2)]))
    tokens = encode_directly(linear_codec(), data, MOVING)
    moves, every = loader.motions(data), loader.windows(data)
    words = Words((torch.zeros(3, 384),), torch.zeros(2, dtype=torch.int64))
    batches = Loader(run, tokens, moves, every, words, loader.fit_transform(run, moves, every, data))
    row = np.array([11])
    for version in range(3):
        sample = batches.batch(row, torch.tensor([version]))
        shift = sample.context.shift
        assert shift is not None and shift.shape == (1, run.model.tokens, 2)
        for token, (view, _, _) in enumerate(run.model.token_grid):
            assert torch.equal(shift[0, token] * SIDE, tokens.shifts[version, 1, view].float())
        assert torch.equal(sample.context.rgb[0], tokens.rgb[version, 9 + 3].float())
        assert torch.equal(sample.map[0, 0], tokens.map[version, 9 + 7].float())
    assert torch.equal(batches.batch(row).rgb, batches.batch(row, torch.tensor([0])).rgb)


def test_no_shift_is_a_shift_of_nothing_and_another_is_felt_by_all() -> None:
    model = randomised(WorldActionModel(CONFIGS["nano-paper"]))
    given, known = inputs(model.config), context_of(model.config)
    shapes = torch.zeros(2, model.config.tokens, 2)
    level, draws = (
        S_ACTION[:, None].expand(-1, model.config.noise_samples_per_action),
        model.config.noise_samples_per_action,
    )
    action = given["a"][:, None].expand(-1, draws, -1, -1)

    def said(shift: torch.Tensor | None) -> dict[str, torch.Tensor]:
        told = replace(known, shift=shift)
        with torch.no_grad():
            return model.predict_velocities(told, given["x"], given["m"], action, given["condition"], S_VIDEO, level)

    still, none, far = said(shapes), said(None), said(shapes + 0.25)
    for kind in none:
        assert torch.equal(still[kind], none[kind])
        assert not torch.equal(far[kind], none[kind])
    torch.manual_seed(0)
    assert not WorldActionModel(CONFIGS["nano-paper"]).embed.displaced.weight.any(), "it starts at nothing"


def test_points_move_with_the_picture() -> None:
    """Moved by one patch, each patch shows what its neighbour showed, and that lies where it lay."""
    draw = np.random.default_rng(0)
    depth = draw.uniform(0.5, 2.0, (2, 40, 60)).astype(np.float32)
    lens = np.tile(np.array([[50.0, 0, 30], [0, 50, 20], [0, 0, 1]]), (2, 1, 1))
    pose, grid, view = np.tile(np.eye(4), (2, 1, 1)), (4, 6), View("head", 20, 30)
    before = patch_points.compute_patch_points(depth, lens, pose, grid).reshape(2, 4, 6, 4)
    after = patch_points.compute_patch_points(
        *patch_points.shift_depth(depth, lens, (5, -5), view), pose, grid
    ).reshape(2, 4, 6, 4)
    np.testing.assert_allclose(after[:, 1:, :-1], before[:, :-1, 1:], atol=1e-6)
    assert not after[:, 0].any() and not after[:, :, -1].any(), "where nothing came in there is no point"
    assert patch_points.shift_depth(depth, lens, (0, 0), view) == (depth, lens)


def test_a_model_is_told_where_and_only_where_pictures_are_moved() -> None:
    run = tiny()
    with pytest.raises(UserError, match=r"model\.shift_conditioning must say"):
        replace(run, data=DataConfig())
    with pytest.raises(UserError, match=r"model\.shift_conditioning must say"):
        replace(run, model=replace(run.model, shift_conditioning=False))
