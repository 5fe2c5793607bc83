"""Presets: functions that return a complete `Run` for a robot's facts. A variant is `dataclasses.replace` of one.

`tiny` trains in seconds and proves that the parts fit; `nano` learns on two CPU cores; `small` is for one GPU; `wan5b`
goes on from Wan2.2-TI2V-5B.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from types import MappingProxyType

from aim.config import (
    CodecConfig,
    DataConfig,
    ModelConfig,
    Run,
    TrainConfig,
    View,
    build_token_grid,
    compute_token_channels,
)
from sim.types import UserError


def tiny(robot: str, views: tuple[str, ...], action_dim: int, state_dim: int, text_width: int = 384) -> Run:
    """Return the run of a model of two layers and width 32: pictures of 64 pixels (head) and 32 (wrists)."""
    codec = CodecConfig(_build_views(views, 64, 32), latent_channels=8, base_dim=8, dim_mult=(1, 1, 2, 2))
    model = ModelConfig(
        token_grid=build_token_grid(codec),
        token_channels=compute_token_channels(codec),
        action_dim=action_dim,
        state_dim=state_dim,
        text_width=text_width,
        width=32,
        action_width=32,
        heads=2,
        head_dim=16,
        layers=2,
        ffn_dim=128,
        action_ffn_dim=128,
        noise_samples_per_action=4,
    )
    return Run(
        preset="tiny", robot=robot, codec=codec, model=model,
        codec_train=TrainConfig(steps=30, batch_size=8, lr=2e-3, warmup=5, ema_decay=0.9),
        train=TrainConfig(steps=40, batch_size=8, lr=4e-3, warmup=5, ema_decay=0.9),
    )  # fmt: skip


def nano(robot: str, views: tuple[str, ...], action_dim: int, state_dim: int, text_width: int = 384) -> Run:
    """Return the run of a model of four layers and width 192: pictures of 128 pixels (head) and 64 (wrists)."""
    codec = CodecConfig(_build_views(views, 128, 64), latent_channels=48, base_dim=16, dim_mult=(1, 2, 2))
    model = ModelConfig(
        token_grid=build_token_grid(codec),
        token_channels=compute_token_channels(codec),
        action_dim=action_dim,
        state_dim=state_dim,
        text_width=text_width,
        width=192,
        action_width=192,
        heads=6,
        head_dim=32,
        layers=4,
        ffn_dim=768,
        action_ffn_dim=768,
        shift_conditioning=True,
        noise_samples_per_action=4,
    )
    return Run(
        preset="nano", robot=robot, codec=codec, model=model, data=DataConfig(shift_augmentations=3),
        codec_train=TrainConfig(steps=1200, batch_size=16, lr=1e-3, warmup=50),
        train=TrainConfig(steps=12_000, batch_size=32, lr=3e-3, warmup=200, optimizer="muon"),
    )  # fmt: skip


def small(robot: str, views: tuple[str, ...], action_dim: int, state_dim: int, text_width: int = 384) -> Run:
    """Return the run of a model of eight layers and width 512: pictures of 192 pixels (head) and 96 (wrists)."""
    codec = CodecConfig(_build_views(views, 192, 96), latent_channels=48, base_dim=32, dim_mult=(2, 4, 4))
    model = ModelConfig(
        token_grid=build_token_grid(codec),
        token_channels=compute_token_channels(codec),
        action_dim=action_dim,
        state_dim=state_dim,
        text_width=text_width,
        width=512,
        action_width=256,
        heads=8,
        head_dim=64,
        layers=8,
        ffn_dim=1536,
        action_ffn_dim=768,
        shared_map=True,
        noise_samples_per_action=4,
    )
    return Run(
        preset="small", robot=robot, codec=codec, model=model,
        codec_train=TrainConfig(steps=10_000, batch_size=32, lr=5e-4, warmup=200, minutes=20.0),
        train=TrainConfig(steps=60_000, batch_size=64, lr=3e-4, warmup=1000, ema_decay=0.9995),
    )  # fmt: skip


WAN_WEIGHTS = "Wan-AI/Wan2.2-TI2V-5B-Diffusers"


def wan5b(
    robot: str,
    views: tuple[str, ...],
    action_dim: int,
    state_dim: int,
    text_width: int = 4096,
    weights: str = WAN_WEIGHTS,
) -> Run:
    """Return the run that goes on from the weights of Wan2.2-TI2V-5B, a hub's name or a folder of diffusers' layout.

    Pictures are 256 x 320 (head) and 128 x 160 (wrists). By default adapters of rank 16 train beside the frozen
    weights, so that one GPU of 24 GiB is enough; `lora_rank` 0 trains everything.
    """
    sizes = {True: (128, 160), False: (256, 320)}
    shown = tuple(View(name, *sizes["wrist" in name]) for name in views)
    codec = CodecConfig(shown, latent_channels=48, base_dim=160, dim_mult=(1, 2, 4, 4))
    model = ModelConfig(
        token_grid=build_token_grid(codec),
        token_channels=compute_token_channels(codec),
        action_dim=action_dim,
        state_dim=state_dim,
        text_width=text_width,
        width=3072,
        action_width=768,
        heads=24,
        head_dim=128,
        layers=30,
        ffn_dim=14336,
        action_ffn_dim=3584,
        shared_map=True,
        predict="velocity",
        rope_base=10_000.0,
        lora_rank=16,
        lora_alpha=16.0,
    )
    return Run(
        preset="wan5b", robot=robot, codec=codec, model=model,
        codec_train=TrainConfig(steps=0, batch_size=1, lr=0.0, warmup=0),
        train=TrainConfig(
            steps=30_000, batch_size=1, lr=1e-4, warmup=500, ema_decay=0.9995, precision="bf16", checkpointing=True,
        ),
        weights=weights,
    )  # fmt: skip


Preset = Callable[..., Run]
PRESETS: Mapping[str, Preset] = MappingProxyType({"tiny": tiny, "nano": nano, "small": small, "wan5b": wan5b})


def get_preset(name: str) -> Preset:
    """Return the preset called `name`; `UserError` naming the valid ones."""
    if name not in PRESETS:
        near = get_close_matches(name, PRESETS, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UserError(f"unknown preset {name!r}; {hint}valid are {', '.join(PRESETS)}")
    return PRESETS[name]


def _build_views(names: tuple[str, ...], head: int, wrist: int) -> tuple[View, ...]:
    return tuple(View(name, side, side) for name in names for side in [wrist if "wrist" in name else head])
