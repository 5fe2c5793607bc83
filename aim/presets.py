"""Presets: functions that return a complete `Run` for a robot's facts. A variant is `dataclasses.replace` of one.

`tiny` trains in seconds and proves that the parts fit; `nano` learns on two CPU cores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from types import MappingProxyType

from aim.config import CodecConfig, ModelConfig, Run, TrainConfig, View, layout, token_channels
from sim.types import UserError


def tiny(robot: str, views: tuple[str, ...], action_dim: int, state_dim: int, text_width: int = 384) -> Run:
    """Return the run of a model of two layers and width 32: pictures of 64 pixels (head) and 32 (wrists)."""
    codec = CodecConfig(_views(views, 64, 32), latent_channels=8, base_dim=8, dim_mult=(1, 1, 2, 2))
    model = ModelConfig(
        layout=layout(codec), token_channels=token_channels(codec), action_dim=action_dim, state_dim=state_dim,
        text_width=text_width, width=32, action_width=32, heads=2, head_dim=16, layers=2,
    )  # fmt: skip
    return Run(
        preset="tiny", robot=robot, codec=codec, model=model,
        codec_train=TrainConfig(steps=30, batch_size=8, lr=2e-3, warmup=5, ema_decay=0.9),
        train=TrainConfig(steps=40, batch_size=8, lr=2e-3, warmup=5, ema_decay=0.9),
    )  # fmt: skip


def nano(robot: str, views: tuple[str, ...], action_dim: int, state_dim: int, text_width: int = 384) -> Run:
    """Return the run of a model of four layers and width 192: pictures of 128 pixels (head) and 64 (wrists)."""
    codec = CodecConfig(_views(views, 128, 64), latent_channels=48, base_dim=16, dim_mult=(1, 2, 2))
    model = ModelConfig(
        layout=layout(codec), token_channels=token_channels(codec), action_dim=action_dim, state_dim=state_dim,
        text_width=text_width, width=192, action_width=192, heads=6, head_dim=32, layers=4,
    )  # fmt: skip
    return Run(
        preset="nano", robot=robot, codec=codec, model=model,
        codec_train=TrainConfig(steps=2000, batch_size=16, lr=1e-3, warmup=50, minutes=3.0),
        train=TrainConfig(steps=20000, batch_size=32, lr=7e-4, warmup=100, minutes=50.0),
    )  # fmt: skip


Preset = Callable[..., Run]
PRESETS: Mapping[str, Preset] = MappingProxyType({"tiny": tiny, "nano": nano})


def preset(name: str) -> Preset:
    """Return the preset called `name`; `UserError` naming the valid ones."""
    if name not in PRESETS:
        near = get_close_matches(name, PRESETS, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UserError(f"unknown preset {name!r}; {hint}valid are {', '.join(PRESETS)}")
    return PRESETS[name]


def _views(names: tuple[str, ...], head: int, wrist: int) -> tuple[View, ...]:
    return tuple(View(name, side, side) for name in names for side in [wrist if "wrist" in name else head])
