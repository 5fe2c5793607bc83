"""The frozen video codec: a latent belongs to one picture, is what Wan makes of it, and comes back at its view."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from small_wan import vae
from torch import Tensor

from aim import presets
from aim.config import CodecConfig, View, build_token_grid, compute_token_channels
from aim.model import canvas
from aim.model.image_codec import STREAM_KINDS, resize_normalized
from aim.model.wan_vae import WanCodec, compute_fingerprint, expected_vae_config

torch.set_num_threads(1)
WAN22_VAE = {"z_dim": 48, "scale_factor_spatial": 16, "scale_factor_temporal": 4, "patch_size": 2, "is_residual": True}


def config() -> CodecConfig:
    """Return the configuration of a small codec of two views."""
    whole = presets.wan5b("panda", ("head", "wrist"), 5, 6).codec
    return dataclasses.replace(whole, views=(View("head", 64, 96), View("wrist", 32, 64)), latent_channels=8)


@pytest.fixture(scope="module")
def codec() -> WanCodec:
    return WanCodec(config(), vae())


def pictures(rows: int, seed: int = 1) -> list[Tensor]:
    """Return noise at the size of each view."""
    draw = torch.Generator().manual_seed(seed)
    return [torch.randint(0, 256, (rows, v.height, v.width, 3), generator=draw).byte() for v in config().views]


def test_tokens_are_the_first_latents_of_videos(codec: WanCodec) -> None:
    """Of one frame or of many: Wan's first latent sees the first frame alone."""
    shown = pictures(2)
    tokens = codec.encode(shown, "rgb")
    assert tokens.shape == (2, len(build_token_grid(config())), compute_token_channels(config()))
    latents = canvas.tokens_to_latents(tokens, canvas.compute_token_grids(config()))
    mean, std = (torch.tensor(codec.vae.config[f"latents_{name}"])[:, None, None] for name in ("mean", "std"))
    for view, (p, z) in enumerate(zip(shown, latents, strict=True)):
        first = resize_normalized(p, config().views[view])[:, :, None]
        later = torch.rand(2, 3, 4, *first.shape[3:], generator=torch.Generator().manual_seed(2))
        for film in (first, torch.cat([first, later], 2)):
            with torch.no_grad():
                wanted = codec.vae.encode(film, return_dict=False)[0].mode()[:, :, 0]
            torch.testing.assert_close(z * std + mean, wanted, atol=1e-5, rtol=1e-5)


def test_a_latent_belongs_to_its_picture_alone(codec: WanCodec) -> None:
    shown = pictures(9)  # more than are coded at once
    whole = codec.encode(shown, "rgb")
    alone = torch.cat([codec.encode([p[i : i + 1] for p in shown], "rgb") for i in range(9)])
    torch.testing.assert_close(whole, alone, atol=1e-5, rtol=1e-5)


def test_pictures_and_maps_share_the_code(codec: WanCodec) -> None:
    rgb, maps = (codec.encode(pictures(1), kind) for kind in STREAM_KINDS)
    assert torch.equal(rgb, maps)


def test_tokens_come_back_as_pictures_of_each_view(codec: WanCodec) -> None:
    back = codec.decode(codec.encode(pictures(2), "rgb"), "rgb")
    assert [tuple(p.shape) for p in back] == [(2, v.height, v.width, 3) for v in config().views]
    assert all(p.dtype == torch.uint8 for p in back)


def test_pictures_of_another_size_are_fitted(codec: WanCodec) -> None:
    large = [p.repeat_interleave(2, 1).repeat_interleave(2, 2) for p in pictures(1)]
    torch.testing.assert_close(codec.encode(large, "rgb"), codec.encode(pictures(1), "rgb"), atol=1e-5, rtol=1e-5)


def test_a_checkpoint_holds_a_fingerprint_and_no_weights(codec: WanCodec) -> None:
    assert set(codec.state_dict()) == {"fingerprint"}
    again, other = WanCodec(config(), vae()), WanCodec(config(), vae(seed=1))
    assert torch.equal(again.fingerprint, codec.fingerprint)
    assert not torch.equal(other.fingerprint, codec.fingerprint)
    assert torch.equal(compute_fingerprint(vae().bfloat16()), codec.fingerprint)
    assert not any(value.requires_grad for value in codec.parameters())


def test_half_precision_codes_nearly_the_same(codec: WanCodec) -> None:
    half = WanCodec(config(), vae().bfloat16())
    tokens, whole = (c.encode(pictures(1), "rgb") for c in (half, codec))
    assert tokens.dtype == torch.float32
    assert (tokens - whole).abs().mean() < 0.05 * whole.std()


def test_the_presets_codec_is_that_of_wan22() -> None:
    assert expected_vae_config(presets.wan5b("panda", ("head", "wrist"), 5, 6).codec).items() <= WAN22_VAE.items()
