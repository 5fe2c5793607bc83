"""The measurements measure what they say: the same chunk with and without memory, the operations of a real step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from aim import presets
from aim.config import Run
from aim.evaluate import speed
from aim.evaluate.speed import ChunkInputs, ChunkTiming, DenoisingSteps, SpeedOptions
from aim.model import flow, graphs
from aim.model.image_codec import Codec
from aim.model.world_action_model import WorldActionModel
from aim.policy import precision
from aim.util import device_timing

CPU = torch.device("cpu")
STEPS = DenoisingSteps(video=3, action=4)
torch.set_num_threads(1)


def run(variant: str = "paper") -> Run:
    made = presets.tiny("panda", ("head", "wrist"), action_dim=8, state_dim=8)
    return replace(made, model=replace(made.model, variant=variant), train=replace(made.train, batch_size=4))


def parts(variant: str = "paper", rows: int = 2) -> tuple[WorldActionModel, Codec, ChunkInputs]:
    """Return a model with no weight at zero, its codec, and what a chunk is asked with."""
    torch.manual_seed(0)
    model, codec = WorldActionModel(run(variant).model).eval(), Codec(run(variant).codec).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        codec.analysis.normal_(std=0.1)  # else all pictures would be the same tokens
    return model, codec, speed.make_inputs(run(variant), rows, "", CPU)


@pytest.mark.parametrize("variant", ["paper", "no_map", "video_free"])
def test_with_and_without_memory_the_chunk_is_that_of_the_model(variant: str) -> None:
    model, codec, what = parts(variant)
    took, actions = speed.time_chunk(model, codec, what, STEPS, "fp32")
    _, anew = speed.time_chunk(model, codec, what, STEPS, "fp32", recompute=True)
    known = speed.encode_context(codec, what)
    same, _ = model.sample_actions(known, STEPS.video, STEPS.action, flow.seed_rows(0, 2))
    assert torch.equal(actions, same) and torch.equal(actions, anew)
    assert actions.std() > 0.1 and not torch.equal(actions[0], actions[1])
    assert took.total == took.encode + took.video + took.action and min(vars(took).values()) > 0


def test_nothing_remembered_is_more_work() -> None:
    model, codec, what = parts()
    counts = []
    for anew in (False, True):
        with FlopCounterMode(display=False) as counter:
            speed.time_chunk(
                model, codec, what, STEPS, "bf16", recompute=anew
            )  # in bf16 every product of attention is counted
        counts.append(counter.get_total_flops())
    assert counts[1] > 1.3 * counts[0]


def test_weights_held_in_bfloat16_change_nothing() -> None:
    model, codec, what = parts()
    before = speed.time_chunk(model, codec, what, STEPS, "bf16")[1]
    precision.cast_linear_weights(model, "fp32")
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    precision.cast_linear_weights(model, "bf16")
    assert {p.dtype for p in model.parameters()} == {torch.float32, torch.bfloat16}
    assert torch.equal(speed.time_chunk(model, codec, what, STEPS, "bf16")[1], before)
    precision.cast_linear_weights(model, "fp32")  # as a model that was trained beside weights of half precision
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert speed.time_chunk(model, codec, what, STEPS, "fp32")[1].isfinite().all()


def test_a_sentence_is_read_by_the_encoder_for_every_copy() -> None:
    _, codec, what = parts(rows=3)
    known = speed.encode_context(codec, replace(what, sentence="close the laptop"))
    assert known.text.shape[0] == 3 and known.text_valid.all()
    assert torch.equal(known.text[0], known.text[2]) and not torch.equal(known.rgb[0], known.rgb[1])
    assert speed.encode_context(codec, what).text.shape == (3, speed.NUM_RANDOM_TEXT_TOKENS, run().model.text_width)


@pytest.mark.parametrize("variant", ["paper", "no_map", "video_free"])
def test_operations_counted_are_those_of_a_real_step(variant: str) -> None:
    config = run(variant).model
    model, data = WorldActionModel(config), speed.random_sample(config, 3, torch.Generator().manual_seed(1))
    with (
        FlopCounterMode(display=False) as counter,
        torch.autocast("cpu", torch.bfloat16),  # attention in plain products, which the counter knows
    ):
        model.compute_losses(data, flow.seed_rows(0, 3))["total"].backward()
    assert speed.count_flop_per_sample(config, 3) == counter.get_total_flops() / 3 > 0


def test_every_further_layer_needs_as_many_operations() -> None:
    config = run().model
    two, three, four = (speed.count_flop_per_sample(replace(config, layers=n), 1) for n in (2, 3, 4))
    assert three - two == four - three > 0


@pytest.mark.parametrize("how", [SpeedOptions(), SpeedOptions(checkpointing=True), SpeedOptions(attention="mask")])
def test_steps_of_training_are_timed_and_learn(how: SpeedOptions) -> None:
    taken, model = speed.time_training(run(), 2, "fp32", CPU, how)
    assert len(taken) == 2 and min(taken) > 0
    assert model.trunk.checkpointing == how.checkpointing
    torch.manual_seed(run().train.seed)
    before = dict(WorldActionModel(run().model).named_parameters())
    assert any(not torch.equal(value, before[name]) for name, value in model.named_parameters())


def test_weights_are_drawn_on_the_device_that_is_asked_for() -> None:
    with torch.device("meta"):
        parts = WorldActionModel(run().model), Codec(run().codec)
    assert all(value.is_meta for part in parts for value in part.state_dict(keep_vars=True).values())
    assert all(value.is_meta for part in parts for value in part.buffers())


def test_the_peak_of_a_processor_is_measured() -> None:
    value, source = speed.find_peak_flops(CPU, "fp32")
    assert source == "measured" and 1e8 < value < 1e14


@pytest.mark.parametrize(
    ("name", "tera"),
    [
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA H200", 989),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA GeForce RTX 4090", 165),
        ("NVIDIA T4", None),
    ],
)
def test_devices_are_known_by_their_names(name: str, tera: float | None) -> None:
    assert speed.look_up_peak_flops(name) == (None if tera is None else tera * 1e12)


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    with device_timing.limit_threads(before + 1):
        assert torch.get_num_threads() == before + 1
        with device_timing.limit_threads(0):
            assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no Linux")
def test_memory_is_told_in_mebibytes() -> None:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    assert device_timing.measure_peak_memory_mib(CPU) == pytest.approx(int(lines["VmHWM"].split()[0]) / 1024, rel=0.02)


def test_the_median_is_taken_part_by_part() -> None:
    found = speed.median_timing([ChunkTiming(1.0, 9.0, 2.0), ChunkTiming(3.0, 7.0, 1.0), ChunkTiming(2.0, 8.0, 3.0)])
    assert found == ChunkTiming(2.0, 8.0, 2.0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.filterwarnings("ignore:TensorFloat32")  # inductor recommends it, and results would differ by more
@pytest.mark.parametrize("compiled", [False, True])
def test_a_gpu_makes_the_chunk_of_the_processor(compiled: bool) -> None:
    gpu = torch.device("cuda")
    model, codec, what = parts()
    here = speed.time_chunk(model, codec, what, STEPS, "fp32")[1]
    model, codec, _ = parts()
    model, codec = model.to(gpu), codec.to(gpu)
    if compiled:
        graphs.compile_inference(model)
    there = speed.make_inputs(run(), 2, "", gpu)
    for anew in (False, True):
        found = [speed.time_chunk(model, codec, there, STEPS, "fp32", recompute=anew)[1].cpu() for _ in range(3)]
        assert all(torch.allclose(actions, here, atol=2e-2) for actions in found)
    assert device_timing.measure_peak_memory_mib(gpu) > 0
