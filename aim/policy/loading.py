"""Policies from checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from aim import config
from aim.data import transforms
from aim.data.mapping_file import recall_mapping
from aim.model import graphs, lora
from aim.policy.checkpoint import CODEC_FILE, EMA_FILE, load_module, load_trained, resolve_checkpoint
from aim.policy.learned import ACTION_STEPS, VIDEO_STEPS, LearnedPolicy
from aim.policy.precision import ComputePrecision, cast_linear_weights, resolve_precision
from aim.policy.pretrained import build_codec, build_for_loading, check_fingerprint


def load_policy(
    path: Path | str, *, execution_horizon: int = 0, seed: int = 0, video_steps: int = VIDEO_STEPS,
    action_steps: int = ACTION_STEPS, imagine: bool = False, device: str = "cpu", compiled: bool = False,
    precision: ComputePrecision | None = None, worlds: Sequence[int] = (),
) -> LearnedPolicy:  # fmt: skip
    """Return the policy of a checkpoint, or of the newest one in a run's folder; `UserError` where there is none.

    It computes in `precision`, if left out in that of the run; `compiled`, which takes a while once, pays on a GPU.
    """
    folder = resolve_checkpoint(Path(path))
    run = config.load_run(folder)
    place = torch.device(device)
    codec, model = build_codec(run, half=place.type == "cuda"), build_for_loading(run)
    load_module(folder / CODEC_FILE, codec)
    check_fingerprint(codec, run.weights)
    load_trained(folder / EMA_FILE, model)
    transform = transforms.read(folder, run.robot, run.model.action_dim, run.model.state_dim)
    precision = precision or resolve_precision(run.train.precision, place)
    if run.model.lora_rank:
        lora.merge_adapters(model)
    cast_linear_weights(model, precision)
    if compiled:
        graphs.compile_inference(model)
    return LearnedPolicy(
        run, transform, codec.to(place), model.to(place), execution_horizon=execution_horizon, seed=seed,
        video_steps=video_steps, action_steps=action_steps, imagine=imagine, precision=precision, worlds=worlds,
        mapping=recall_mapping(folder),
    )  # fmt: skip
