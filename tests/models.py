"""Models of every preset and variant with random weights, and what they are told, for tests of their laws.

Weights are nowhere zero, so that nothing is independent only because a gate is still shut.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from aim import presets
from aim.config import ModelConfig, Run
from aim.model import intent
from aim.model.batch import Context, Fovea, Sample
from aim.model.intent import VARIANTS
from aim.model.world_action_model import WorldActionModel

TEXT = 12  # width of the text


def run(name: str) -> Run:
    return presets.get_preset(name)("panda", ("head", "wrist"), action_dim=5, state_dim=6, text_width=TEXT)


def history(name: str, frames: int, actions: int) -> ModelConfig:
    return replace(run(name).model, past_frames=frames, past_actions=actions)


def narrow(config: ModelConfig) -> ModelConfig:
    """Return what a large preset asks for in the width of a small one."""
    return replace(
        config, width=72, ffn_dim=96, action_width=48, action_ffn_dim=64, heads=3, head_dim=24, layers=3,
        token_channels=16, lora_rank=0,
    )  # fmt: skip


CONFIGS = {
    **{f"tiny-{name}": replace(run("tiny").model, variant=name) for name in VARIANTS},
    **{f"nano-{name}": replace(run("nano").model, variant=name) for name in VARIANTS},
    **{f"small-{name}": replace(narrow(run("small").model), variant=name) for name in VARIANTS},
    **{f"wan5b-{name}": replace(narrow(run("wan5b").model), variant=name) for name in VARIANTS},
    "no-history": history("tiny", 0, 0),
    "long-history": history("tiny", 3, 32),
    "narrow-actions": replace(run("tiny").model, action_width=24, action_ffn_dim=40),
    "shared-map": replace(run("tiny").model, shared_map=True),
    "velocity": replace(run("tiny").model, predict="velocity"),
    "geometry": replace(run("tiny").model, geometry=True),
    "fovea": replace(run("tiny").model, fovea=32),
    "three-draws": replace(run("tiny").model, noise_samples_per_action=3),
}


def randomised(model: WorldActionModel, seed: int = 0) -> WorldActionModel:
    """Return the model with every weight drawn anew, none zero, large enough for influences to show."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            fan = parameter.shape[-1] if parameter.ndim > 1 else 4
            parameter.copy_(torch.randn(parameter.shape, generator=draw) / fan**0.5)
    return model


def context(config: ModelConfig, rows: int = 2, seed: int = 1) -> Context:
    draw = torch.Generator().manual_seed(seed)

    def some(*shape: int) -> Tensor:
        return torch.randn(rows, *shape, generator=draw)

    tokens = (config.tokens, config.token_channels)
    valid = torch.arange(rows) != 1  # the second row has no history
    heard = torch.ones(rows, 4, dtype=torch.bool)
    heard[0, 2:] = False
    return Context(
        past_rgb=some(config.past_frames, *tokens), past_action=some(config.past_actions, config.action_dim),
        past_valid=valid, rgb=some(*tokens), state=some(config.state_dim), text=some(4, config.text_width),
        text_valid=heard, points=some(config.tokens, 4).sign() if config.geometry else None,
        fovea=Fovea(some(config.fovea, config.fovea, 3), some(2)) if config.fovea else None,
    )  # fmt: skip


def sample(config: ModelConfig, rows: int = 2, seed: int = 1) -> Sample:
    draw = torch.Generator().manual_seed(seed + 100)
    frames = (rows, config.num_future_frames, config.tokens, config.token_channels)
    return Sample(
        context=context(config, rows, seed), rgb=torch.randn(frames, generator=draw),
        map=torch.randn(frames, generator=draw),
        action=torch.randn(rows, config.chunk, config.action_dim, generator=draw),
        map_valid=torch.ones(rows, dtype=torch.bool), action_valid=torch.ones(config.action_dim, dtype=torch.bool),
    )  # fmt: skip


KNOWN = ("past_rgb", "past_action", "rgb", "state", "text")
Inputs = dict[str, Tensor]
S_VIDEO, S_ACTION = torch.tensor([0.7, 0.4]), torch.tensor([0.3, 0.9])


def inputs(config: ModelConfig) -> Inputs:
    """Return all that enters the model: only maps and conditions that its variant has."""
    known, future, who = context(config), sample(config), intent.build_table(config)
    given = {name: getattr(known, name) for name in KNOWN}
    given |= {"x": future.rgb, "a": future.action} | ({"m": future.map} if "m" in who else {})
    given |= {"fovea": known.fovea.picture} if known.fovea else {}
    return given | ({"condition": future.map * 0.5 + 0.1} if intent.condition_kind(who) else {})


def told(model: WorldActionModel, given: Inputs) -> Context:
    known = context(model.config)
    fovea = replace(known.fovea, picture=given["fovea"]) if known.fovea else None
    return replace(known, **{name: given[name] for name in KNOWN}, fovea=fovea)


def predict(model: WorldActionModel, given: Inputs) -> dict[str, Tensor]:
    """Return the velocities of x, m, a from the whole sequence at once; all draws of the actions are the same."""
    draws = model.config.noise_samples_per_action
    action, s_action = given["a"][:, None].expand(-1, draws, -1, -1), S_ACTION[:, None].expand(-1, draws)
    found = model.predict_velocities(
        told(model, given), given["x"], given.get("m"), action, given.get("condition"), S_VIDEO, s_action
    )
    return {**found, "a": found["a"][:, -1]}
