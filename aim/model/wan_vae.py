# ruff: noqa: F722
"""Wan's own video autoencoder, frozen, with the face of `aim.model.image_codec.Codec`.

Every kept picture is coded as a video of one frame, what Wan's first latent frame is. So a latent belongs to one
picture alone, any picture may start a sample, and one cache serves them all; the price is that later latents are not
those of Wan's own videos (four pictures each), which the adapters or the fine-tuning make up for. Pictures and maps go
through the same weights and the same normalisation.

A checkpoint does not repeat the weights: `state_dict` holds a fingerprint of them alone.
b pictures, z latent channels, h and w pixels; a view's latents are h / factor by w / factor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from aim.config import CodecConfig
from aim.model import canvas
from aim.model.canvas import Shifts
from aim.model.image_codec import (
    Kind,
    PictureCodec,
    Pictures,
    make_zero_shifts,
    resize_normalized,
    shift_pictures,
    to_bytes,
)

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
else:  # the name of an annotation: diffusers takes seconds to import, and here nothing is built
    AutoencoderKLWan = nn.Module

FINGERPRINT_NUMBERS = 512  # numbers of each tensor that a fingerprint is made of
WEIGHTS = "vae."
VAE_BATCH_FRAMES = 8  # pictures coded together


class WanCodec(PictureCodec):
    """Pictures and maps to tokens and back, by pretrained weights that stay as they are."""

    mean: Tensor  # (z 1 1)
    std: Tensor
    fingerprint: Tensor  # (32,) uint8

    def __init__(self, config: CodecConfig, vae: AutoencoderKLWan) -> None:
        """Wrap an autoencoder that fits `config`; see `expected_vae_config`."""
        super().__init__()
        self.config = config
        self.vae = vae.eval().requires_grad_(False)
        for name in ("mean", "std"):
            numbers = torch.tensor(vae.config[f"latents_{name}"])[:, None, None]
            self.register_buffer(name, numbers, persistent=False)
        self.register_buffer("fingerprint", compute_fingerprint(vae))
        self.register_state_dict_post_hook(_drop_vae_weights)

    def empty_canvas(self, view: int, kind: Kind) -> Float[Tensor, "3 h w"]:
        """Return the empty canvas in [-1, 1]: black, as whole pictures are coded and no backdrop is left out."""
        size = self.config.views[view]
        return torch.full((3, size.height, size.width), -1.0, device=self.mean.device)

    @torch.no_grad()
    def encode(self, pictures: Sequence[Pictures], kind: Kind, shifts: Shifts | None = None) -> Float[Tensor, "b n c"]:
        """Return the normalised tokens of pictures or maps, one batch a view; the most likely code, nothing drawn."""
        views = zip(pictures, self.config.views, shifts or make_zero_shifts(len(pictures)), strict=True)
        fitted = [shift_pictures(resize_normalized(p.to(self.mean.device), view), *shift) for p, view, shift in views]
        return canvas.latents_to_tokens([self._encode_pictures(x) for x in fitted])

    @torch.no_grad()
    def decode(self, tokens: Float[Tensor, "b n c"], kind: Kind, views: int | None = None) -> tuple[Pictures, ...]:
        """Return the pictures of each view, or of the first `views`, that normalised tokens stand for."""
        latents = canvas.tokens_to_latents(tokens.float(), canvas.compute_token_grids(self.config))
        return tuple(to_bytes(self._decode_latents(z * self.std + self.mean)) for z in latents[:views])

    def _encode_pictures(self, x: Float[Tensor, "b 3 _ _"]) -> Float[Tensor, "b z _ _"]:
        films = x.to(self.vae.dtype)[:, :, None].split(VAE_BATCH_FRAMES)
        z = torch.cat([self.vae.encode(film, return_dict=False)[0].mode() for film in films])
        return (z.squeeze(2).float() - self.mean) / self.std

    def _decode_latents(self, z: Float[Tensor, "b z _ _"]) -> Float[Tensor, "b 3 _ _"]:
        films = z.to(self.vae.dtype)[:, :, None].split(VAE_BATCH_FRAMES)
        return torch.cat([self.vae.decode(film, return_dict=False)[0] for film in films]).squeeze(2).float()


def expected_vae_config(config: CodecConfig) -> dict[str, object]:
    """Return what the configuration of an `AutoencoderKLWan` must say to serve as the codec of `config`."""
    return {"z_dim": config.latent_channels, "scale_factor_spatial": config.factor}


def compute_fingerprint(module: nn.Module) -> UInt8[Tensor, " 32"]:
    """Return a digest of some numbers of every tensor: another for other weights, on any device, in any precision."""
    sha = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        flat = value.detach().flatten()
        some = flat[:: max(1, -(-len(flat) // FINGERPRINT_NUMBERS))].bfloat16().float().cpu()
        sha.update(f"{name} {tuple(value.shape)} ".encode() + some.numpy().tobytes())
    return torch.tensor(list(sha.digest()), dtype=torch.uint8)


def _drop_vae_weights(module: nn.Module, state: dict[str, Tensor], prefix: str, local: object) -> None:
    for name in [name for name in state if name.startswith(prefix + WEIGHTS)]:
        del state[name]
