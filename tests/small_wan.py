"""Small models in the shape of Wan, for tests."""

from __future__ import annotations

import dataclasses

import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan

from aim.config import CodecConfig, ModelConfig, View, build_token_grid, compute_token_channels
from aim.model.batch import Context, Sample


def small(futures: int = 2, down: int = 2, across: int = 3, **changes: object) -> ModelConfig:
    """Return the configuration of a small model in Wan's shape, of one view."""
    codec = CodecConfig((View("head", 32 * down, 32 * across),), latent_channels=8)
    model = ModelConfig(
        token_grid=build_token_grid(codec),
        token_channels=compute_token_channels(codec),
        action_dim=5,
        state_dim=6,
        text_width=16,
        width=48,
        action_width=24,
        heads=2,
        head_dim=24,
        layers=2,
        ffn_dim=64,
        action_ffn_dim=32,
        chunk=16 * futures,
        num_future_frames=futures,
        shared_map=True,
        predict="velocity",
        rope_base=10_000.0,
    )
    return dataclasses.replace(model, **changes)


def vae(seed: int = 0) -> AutoencoderKLWan:
    """Return a small autoencoder of Wan 2.2's kind."""
    torch.manual_seed(seed)
    return AutoencoderKLWan(
        base_dim=8, decoder_base_dim=8, z_dim=8, dim_mult=[1, 2, 4, 4], num_res_blocks=1, is_residual=True,
        temperal_downsample=[False, True, True], in_channels=12, out_channels=12, patch_size=2, scale_factor_spatial=16,
        latents_mean=[0.1 * i for i in range(8)], latents_std=[1.0 + 0.1 * i for i in range(8)],
    )  # fmt: skip


def noise(config: ModelConfig, rows: int, words: int) -> Sample:
    """Return a batch of noise."""
    draw = torch.Generator().manual_seed(1)
    n, c, d = config.tokens, config.token_channels, config.action_dim
    context = Context(
        past_rgb=torch.randn(rows, config.past_frames, n, c, generator=draw),
        past_action=torch.randn(rows, config.past_actions, d, generator=draw),
        past_valid=torch.ones(rows, dtype=torch.bool), rgb=torch.randn(rows, n, c, generator=draw),
        state=torch.randn(rows, config.state_dim, generator=draw),
        text=torch.randn(rows, words, config.text_width, generator=draw),
        text_valid=torch.ones(rows, words, dtype=torch.bool),
    )  # fmt: skip
    future = [torch.randn(rows, config.num_future_frames, n, c, generator=draw) for _ in range(2)]
    action = torch.randn(rows, config.chunk, d, generator=draw)
    return Sample(context, *future, action, torch.ones(rows, dtype=torch.bool), torch.ones(d, dtype=torch.bool))
