"""Losses and gradients of a training step: run kernel by kernel, or, on a GPU, replayed as one CUDA graph.

Launching the thousands of small kernels of `nano` takes several times as long as running them. The graph reads a batch
from the same memory each time and leaves the gradients in the same memory; clipping, the optimizer and the average run
outside it. Its noise is drawn on the device, from a seed of the step: a training that is resumed draws the same, but
not what a training without graphs draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from aim.config import TrainConfig
from aim.model.batch import Sample, list_tensors, map_tensors
from aim.model.flow import DeviceNoise, Noise
from aim.model.world_action_model import WorldActionModel
from aim.policy import precision
from aim.policy.precision import ComputePrecision
from aim.train.checkpoint import TrainingState
from aim.train.loss_meter import LOSS_NAMES
from aim.util.seeds import make_generator

NUM_WARMUP_PASSES = 3  # before the capture, which must find every kernel chosen and every mask made
GRAPH_NOISE_STREAM = "graphed"
GRAPH_ATTENTION = "mask"  # one product a layer, whose mask is made before the capture


def compute_gradients(
    model: WorldActionModel, sample: Sample, noise: Noise, compute_precision: ComputePrecision
) -> Tensor:
    """Add the gradients of a batch to those of the parameters, and return its losses (4,), named as in LOSS_NAMES."""
    with precision.autocast(compute_precision, sample.rgb.device):
        losses = model(sample, noise)
    losses["total"].backward()
    return torch.stack([losses[name].detach() for name in LOSS_NAMES[:-1]])


@dataclass(frozen=True)
class CapturedPass:
    """A captured pass, and the memory that it reads a batch from and leaves the losses (4,) in."""

    graph: torch.cuda.CUDAGraph
    sample: Sample
    losses: Tensor


class GraphedGradients:
    """Losses and gradients of batches of one shape, by replaying what is captured at the first."""

    def __init__(self, training: TrainingState, config: TrainConfig, compute_precision: ComputePrecision) -> None:
        """Capture nothing yet."""
        self.training, self.config = training, config
        self.precision: ComputePrecision = compute_precision
        self.captured: CapturedPass | None = None
        training.model.trunk.attention_backend = GRAPH_ATTENTION

    def compute(self, sample: Sample, step: int) -> Tensor:
        """Leave the gradients of a batch in the parameters, and return its losses (4,), named as in LOSS_NAMES."""
        self.captured = self.captured or self._capture(sample)
        for kept, given in zip(list_tensors(self.captured.sample), list_tensors(sample), strict=True):
            kept.copy_(given, non_blocking=True)
        torch.cuda.manual_seed(make_generator(self.config.seed, GRAPH_NOISE_STREAM, step).initial_seed())
        self.captured.graph.replay()
        return self.captured.losses.clone()

    def _capture(self, sample: Sample) -> CapturedPass:
        """Capture the pass for batches like `sample`, which is on a CUDA device."""
        training, kept = self.training, map_tensors(sample, Tensor.clone)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(NUM_WARMUP_PASSES):
                training.optimiser.zero_grad(set_to_none=True)
                self._run_pass(kept)
        torch.cuda.current_stream().wait_stream(stream)
        training.optimiser.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # the next batch is pinned meanwhile
            losses = self._run_pass(kept)
        return CapturedPass(graph, kept, losses)

    def _run_pass(self, sample: Sample) -> Tensor:
        return compute_gradients(self.training.model, sample, DeviceNoise(), self.precision)
