"""The codec computes what Wan's autoencoder computes, its parts are inverses, and small things come through."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import CAMERAS, RADIUS, X, Y, draw, places, value

from aim import presets
from aim.config import CodecConfig, View, build_token_grid, compute_token_channels
from aim.data.view_pictures import ViewPictures
from aim.model import canvas
from aim.model.image_codec import (
    STREAM_KINDS,
    Codec,
    build_wan_autoencoder,
    compute_principal_axes,
    extract_patches,
    replace_causal_convs,
    resize_normalized,
    resize_pictures,
    set_linear_code,
    to_bytes,
)
from aim.train import codec as training
from aim.train import codec_quality

SMALL: CodecConfig = presets.tiny("aloha", CAMERAS, 14, 14).codec
VIEWS = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=3)


def views(sizes: list[tuple[int, int]]) -> CodecConfig:
    """Return a codec configuration with views of these sizes in tokens."""
    named = tuple(View(str(i), 32 * h, 32 * w) for i, (h, w) in enumerate(sizes))
    return dataclasses.replace(SMALL, views=named)


@given(sizes=VIEWS, seed=st.integers(0, 99))
def test_tokens_and_latents_are_inverses(sizes: list[tuple[int, int]], seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    latents = [torch.randn(2, 5, 2 * h, 2 * w, generator=draw) for h, w in sizes]
    tokens = canvas.latents_to_tokens(latents)
    assert tokens.shape == (2, sum(h * w for h, w in sizes), 20)
    back = canvas.tokens_to_latents(tokens, canvas.compute_token_grids(views(sizes)))
    assert all(torch.equal(a, b) for a, b in zip(latents, back, strict=True))


@given(sizes=VIEWS)
def test_tokens_lie_where_the_layout_says(sizes: list[tuple[int, int]]) -> None:
    config = views(sizes)
    latents = []
    for index, (h, w) in enumerate(sizes):
        y, x = torch.meshgrid(torch.arange(2 * h) // 2, torch.arange(2 * w) // 2, indexing="ij")
        latents.append(torch.stack([torch.full_like(y, index), y, x])[None].float())
    tokens = canvas.latents_to_tokens(latents)[0].unflatten(1, (3, 4))
    assert [tuple(int(v) for v in token[:, 0]) for token in tokens] == list(build_token_grid(config))
    assert (tokens == tokens[..., :1]).all()  # one place a token


@pytest.mark.parametrize("mult", [(1, 2, 2), (1, 1, 2, 2)])
def test_the_last_tap_is_the_whole_of_an_image(mult: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    whole = build_wan_autoencoder(dataclasses.replace(SMALL, dim_mult=mult)).eval()
    tapped = build_wan_autoencoder(dataclasses.replace(SMALL, dim_mult=mult)).eval()
    tapped.load_state_dict(whole.state_dict())
    replace_causal_convs(tapped)
    x = torch.rand(2, 3, 1, 64, 64) * 2 - 1
    with torch.no_grad():
        a, b = (m.encode(x).latent_dist for m in (whole, tapped))
        torch.testing.assert_close(b.mean, a.mean, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(b.logvar, a.logvar, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(tapped.decode(a.mean).sample, whole.decode(a.mean).sample, atol=1e-5, rtol=1e-4)


def test_pictures_are_resized_by_area_and_bytes_come_back() -> None:
    pictures = torch.randint(0, 256, (3, 64, 32, 3), dtype=torch.uint8)
    same = View("a", 64, 32)
    assert torch.equal(to_bytes(resize_normalized(pictures, same)), pictures)
    assert torch.equal(resize_pictures(pictures, same), pictures)
    half = to_bytes(resize_normalized(pictures, View("a", 32, 32)))
    mean = pictures.float().unflatten(1, (32, 2)).mean(2)
    assert (half.float() - mean).abs().max() <= 0.5 + 1e-3


def test_principal_axes_are_those_of_most_energy() -> None:
    made = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(12, 12, generator=made)).Q
    rows = torch.randn(5000, 12, generator=made) * torch.tensor([9.0, 5.0, 2.0] + [0.01] * 9) @ basis.T
    axes, size = compute_principal_axes(rows, 3)
    torch.testing.assert_close(axes.T @ axes, torch.eye(3), atol=1e-5, rtol=0)
    torch.testing.assert_close((axes.T @ basis[:, :3]).abs(), torch.eye(3), atol=0.05, rtol=0)
    torch.testing.assert_close(size, torch.tensor([9.0, 5.0, 2.0]), atol=0, rtol=0.05)


def test_patches_are_in_the_order_of_the_linear_code() -> None:
    x = torch.randn(2, 3, 32, 48)
    weight = torch.randn(5, 3, 16, 16)
    by_convolution = torch.nn.functional.conv2d(x, weight, stride=16).flatten(2).transpose(1, 2).flatten(0, 1)
    torch.testing.assert_close(extract_patches(x, 16) @ weight.flatten(1).T, by_convolution, atol=1e-3, rtol=1e-4)


def test_all_axes_lose_nothing_and_nothing_stays_nothing() -> None:
    config = CodecConfig((View("head", 32, 32),), latent_channels=768, base_dim=8, dim_mult=(1, 1, 1))
    codec = Codec(config).eval()
    pictures = torch.randint(0, 256, (64, 32, 32, 3), dtype=torch.uint8)
    x = codec.compute_difference(pictures, 0, "rgb")
    set_linear_code(codec, torch.linalg.qr(torch.randn(768, 768)).Q, torch.rand(768) + 0.5)
    back = codec.decode(codec.encode([pictures], "rgb"), "rgb")[0]
    assert (back.int() - pictures.int()).abs().max() <= 1
    with torch.no_grad():
        torch.testing.assert_close(codec.decode_difference(codec.encode_difference(x)[0]), x, atol=1e-3, rtol=0)
    black = torch.zeros(1, 32, 32, 3, dtype=torch.uint8)
    assert codec.decode(codec.encode([black], "map"), "map")[0].max() == 0


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 99))
def test_tokens_are_normal_and_normalising_is_undone(seed: int) -> None:
    torch.manual_seed(seed)
    codec = Codec(SMALL).eval()
    torch.nn.init.normal_(codec.analysis, std=0.05)
    pictures = [torch.randint(0, 256, (2, v.height, v.width, 3), dtype=torch.uint8) for v in SMALL.views]
    plain = codec.encode(pictures, "rgb").unflatten(2, (SMALL.latent_channels, 4))
    codec.mean[0], codec.std[0] = torch.randn(SMALL.latent_channels), torch.rand(SMALL.latent_channels) + 0.5
    scaled = codec.encode(pictures, "rgb").unflatten(2, (SMALL.latent_channels, 4))
    torch.testing.assert_close(scaled * codec.std[0][:, None] + codec.mean[0][:, None], plain, atol=1e-4, rtol=1e-4)


def frames(seeds: range, side: int = 64) -> ViewPictures:
    """Return one instant of each seed of the toy world."""
    found = {}
    for v, view in enumerate(SMALL.views):
        states = [np.zeros(14, np.float32) for _ in seeds]
        for state, seed in zip(states, seeds, strict=True):
            state[[X, Y]], state[6] = places(seed)[1], 1.0
        for kind, paint in (("rgb", draw), ("map", value)):
            made = [paint(view.name, s, places(seed)[0], side) for s, seed in zip(states, seeds, strict=True)]
            found[v, kind] = resize_pictures(torch.from_numpy(np.stack(made)), view)
    return found


def contrast(pictures: torch.Tensor, seeds: range) -> float:
    """Return by how much redder than the wood the spots are, on the mean, in bytes."""
    side = pictures.shape[1]
    found = []
    for picture, seed in zip(pictures.float(), seeds, strict=True):
        x, y = ((places(seed)[0] + 1) / 2 * side).astype(int)
        redness = picture[..., 0] - picture[..., 1:].mean(-1)
        found.append(float(redness[y - 1 : y + 1, x - 1 : x + 1].mean() - redness.median()))
    return sum(found) / len(found)


def test_small_objects_and_peaks_come_through_a_short_training() -> None:
    run = presets.tiny("aloha", CAMERAS, 14, 14)
    config = dataclasses.replace(SMALL, latent_channels=32)
    model = dataclasses.replace(run.model, token_channels=compute_token_channels(config))
    brief = dataclasses.replace(run.codec_train, precision="fp32", steps=8)
    run = dataclasses.replace(run, codec=config, model=model, codec_train=brief)
    seen, other = frames(range(160)), range(200, 240)
    unseen = frames(other)
    codec = training.train_codec(run, seen, torch.device("cpu"), None)
    tokens = codec.encode([unseen[v, "rgb"] for v in range(3)], "rgb")
    true = contrast(unseen[0, "rgb"], other)
    assert RADIUS["spot"] * 64 / 2 < 4  # pixels: the spot is small
    assert true > 100
    assert contrast(codec.decode(tokens, "rgb")[0], other) > 0.6 * true
    quality = codec_quality.measure_quality(codec, unseen)
    assert quality.peak_error_px is not None and quality.peak_error_px < 2.0
    assert quality.psnr_rgb > 24.0
    assert quality.peaks_lost == 0.0
    assert quality.psnr_things is not None and quality.psnr_things < quality.psnr_rgb
    assert codec_quality.list_warnings(quality) == []
    poor = dataclasses.replace(quality, psnr_things=9.0, peaks_lost=0.5)
    assert [words.split()[0] for words in codec_quality.list_warnings(poor)] == ["arms", "map"]
    lost = tokens - tokens.mean(0)
    assert contrast(codec.decode(tokens - lost, "rgb")[0], other) < 0.3 * true  # the measure sees what is lost


@pytest.mark.parametrize("brightest", [0, 255], ids=["no peaks", "all peaks lost"])
def test_no_figure_is_told_over_nothing(brightest: int) -> None:
    """A codec that knows nothing brings back no peak; where there are none, there is nothing to say of them."""
    codec = Codec(SMALL)
    black = {(v, "map"): torch.zeros(3, *view_size(v), 3, dtype=torch.uint8) for v in range(3)}
    pictures = {(v, "rgb"): to_bytes(codec.empty_canvas(v, "rgb")[None]).expand(3, -1, -1, -1)
                for v in range(3)}  # fmt: skip
    found: ViewPictures = {**black, **pictures}
    found[0, "map"][:, 10:14, 20:24] = brightest
    quality = codec_quality.measure_quality(codec, found)
    assert (quality.peak_error_px, quality.peak_error_max_px) == (None, None)
    assert quality.psnr_things is None, "nothing differs from the backdrop"
    line, warnings = codec_quality.describe_quality(quality), codec_quality.list_warnings(quality)
    assert "pixels" not in line and "arms" not in line and "nan" not in line
    if brightest:
        assert quality.peaks_lost == 1.0 and warnings == ["map peaks are all lost"] and line.endswith("all lost")
    else:
        assert quality.peaks_lost is None and warnings == [] and line.endswith("peaks: none to judge by")


def view_size(view: int) -> tuple[int, int]:
    """Return height and width of a view."""
    return SMALL.views[view].height, SMALL.views[view].width


def test_the_backdrop_is_what_most_pictures_show() -> None:
    """Of five pictures two have something in front of the wood: nothing of it stays."""
    codec, found = Codec(SMALL), {}
    for v in range(3):
        pictures = torch.full((5, *view_size(v), 3), 90 + v, dtype=torch.uint8)
        pictures[1:3, 4:20, 8:24] = 250
        found[v, "rgb"] = pictures
    training._set_backdrops(codec, found)
    for v in range(3):
        assert (to_bytes(codec.empty_canvas(v, "rgb")[None]) == 90 + v).all()
        assert (codec.empty_canvas(v, "map") == -1.0).all(), "that of maps is black"


def test_tokens_of_what_a_codec_learned_from_are_of_mean_0_and_spread_1_for_pictures_and_for_maps() -> None:
    torch.manual_seed(0)
    codec, seen = Codec(SMALL).eval(), frames(range(24))
    torch.nn.init.normal_(codec.analysis, std=0.05)
    training._set_latent_statistics(codec, seen)
    for kind in STREAM_KINDS:
        tokens = codec.encode([seen[v, kind] for v in range(3)], kind).unflatten(2, (SMALL.latent_channels, 4))
        rows = tokens.transpose(2, 3).flatten(0, 2)
        torch.testing.assert_close(rows.mean(0), torch.zeros(SMALL.latent_channels), atol=1e-3, rtol=0)
        torch.testing.assert_close(rows.std(0), torch.ones(SMALL.latent_channels), atol=1e-3, rtol=0)


def test_spots_of_maps_count_more_than_things_and_things_in_all_their_colours() -> None:
    """An error of 0.5 in every number is 0.5 + 2 * 0.25 = 1, times its weight; latents of 3 and variance 1 diverge."""
    x = torch.zeros(3, 3, 4, 4)
    x[0, 1, 2, 2] = 0.5  # a spot in a map: it counts in its channel alone
    x[1, 0, 1, 1] = -0.25  # a thing in a picture
    other = SimpleNamespace(
        encode_difference=lambda x: (torch.full((3, 5, 1, 1), 3.0), torch.zeros(3, 5, 1, 1)),
        decode_difference=lambda z: x + 0.5,
    )
    found = training.compute_loss(cast(Codec, other), x, 1, torch.Generator().manual_seed(0))
    weights = x.numel() + 20 * 0.5 + 2 * 0.25 * 3
    assert float(found) == pytest.approx(weights / x.numel() + 1e-6 * 5 * 0.5 * 9, rel=1e-6)
