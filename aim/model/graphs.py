"""Inference compiled: on a GPU every denoising step is one CUDA graph, which spares the launches of small kernels."""

from __future__ import annotations

import torch

from aim.model.world_action_model import WorldActionModel


def compile_inference(model: WorldActionModel) -> None:
    """Compile what every denoising step runs, on a GPU as CUDA graphs; what keys and values come from is not graphed.

    A graph's results are overwritten by its next run: velocities are used up before, keys and values are not.
    """
    for name in ("predict_video_velocity", "predict_action_velocity"):
        vars(model)[name] = torch.compile(vars(WorldActionModel)[name].__get__(model), mode="reduce-overhead")
    for name in ("encode_context", "append_condition"):
        vars(model)[name] = torch.compile(vars(WorldActionModel)[name].__get__(model))
