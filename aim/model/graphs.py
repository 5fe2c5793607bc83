"""Inference compiled: on a GPU every denoising step is one CUDA graph, which spares the launches of small kernels."""

from __future__ import annotations

import torch

from aim.model.world_action_model import WorldActionModel


def compile_inference(model: WorldActionModel) -> None:
    """Compile what every denoising step runs, on a GPU as CUDA graphs; what keys and values come from is not graphed.

    A graph's results are overwritten by its next run: velocities are used up before, keys and values are not.
    """
    for method in (WorldActionModel.predict_video_velocity, WorldActionModel.predict_action_velocity):
        vars(model)[method.__name__] = torch.compile(method.__get__(model), mode="reduce-overhead")
    for method in (WorldActionModel.encode_context, WorldActionModel.append_condition):
        vars(model)[method.__name__] = torch.compile(method.__get__(model))
