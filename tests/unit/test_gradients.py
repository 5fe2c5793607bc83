"""Gradients of a training step: what a CUDA graph replays is what the step without one computes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from toy import CAMERAS, JOINTS

from aim import presets
from aim.evaluate.speed import random_sample
from aim.model.batch import list_tensors, move_batch
from aim.model.flow import DeviceNoise
from aim.train.gradients import GRAPH_NOISE_STREAM, GraphedGradients, compute_gradients
from aim.train.stage1 import begin_training
from aim.util.seeds import make_generator

RUN = presets.tiny("aloha", CAMERAS, JOINTS, JOINTS)
NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


def test_noise_of_a_device_has_the_shapes_of_noise_by_rows_and_follows_from_the_seed() -> None:
    like, noise = torch.zeros(3, 2, 5), DeviceNoise()
    torch.manual_seed(7)
    first = noise.gaussian(like), noise.uniform(like, 2)
    torch.manual_seed(7)
    again = noise.gaussian(like), noise.uniform(like, 2)
    assert first[0].shape == like.shape and first[1].shape == (3, 2)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0][0], first[0][1]) and bool((first[1] >= 0).all() and (first[1] < 1).all())


@pytest.mark.parametrize("variant", ["paper", "no_map", "video_free"])
def test_gradients_are_those_of_the_total_whichever_way_attention_is_computed(variant: str) -> None:
    training = begin_training(replace(RUN, model=replace(RUN.model, variant=variant)), torch.device("cpu"))
    data, found = random_sample(RUN.model, 3, torch.Generator().manual_seed(0)), []
    for attention in ("segments", "mask"):
        training.model.trunk.attention_backend = attention
        training.optimiser.zero_grad(set_to_none=True)
        torch.manual_seed(1)
        losses = compute_gradients(training.model, data, DeviceNoise(), "fp32")
        total = RUN.model.map_weight * losses[1] + RUN.model.action_weight * losses[2] + losses[0]
        torch.testing.assert_close(losses[3], total)
        found.append([losses, *(p.grad for p in training.model.parameters() if p.grad is not None)])
    assert len(found[0]) > 10
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_tensors_of_a_batch_are_listed_in_the_order_of_its_fields() -> None:
    data = random_sample(RUN.model, 2, torch.Generator().manual_seed(0))
    listed = list_tensors(data)
    assert listed[0] is data.context.past_rgb and listed[-1] is data.action_valid and len(listed) == 12


@pytest.mark.gpu
@NO_GPU
def test_a_graph_replays_the_step_that_it_captured() -> None:
    gpu = torch.device("cuda")
    training, plain = (begin_training(RUN, gpu) for _ in range(2))
    plain.model.trunk.attention_backend = "mask"
    batches = [move_batch(random_sample(RUN.model, 4, torch.Generator().manual_seed(seed)), gpu) for seed in range(3)]
    graph = GraphedGradients(training, RUN.train, "fp32")
    for step, batch in enumerate(batches):
        losses = graph.compute(batch, step)
        torch.cuda.manual_seed(make_generator(RUN.train.seed, GRAPH_NOISE_STREAM, step).initial_seed())
        plain.optimiser.zero_grad(set_to_none=True)
        torch.testing.assert_close(losses, compute_gradients(plain.model, batch, DeviceNoise(), "fp32"))
        gradients = zip(training.model.parameters(), plain.model.parameters(), strict=True)
        for replayed, computed in gradients:
            torch.testing.assert_close(replayed.grad, computed.grad, atol=1e-5, rtol=1e-4)
