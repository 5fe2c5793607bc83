"""Model throughput: latency of one action chunk by parts, and of one training step.

The first few runs are not counted: they compile, choose kernels and fill caches. Nothing here depends on what the
numbers are, so they are random.
"""

from __future__ import annotations

import copy
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from aim.config import Attention, ModelConfig, Run
from aim.model import flow, intent, lora, text
from aim.model.batch import Context, Fovea, KvCache, PredictedFuture, Sample, move_batch
from aim.model.image_codec import PictureCodec
from aim.model.world_action_model import WorldActionModel
from aim.policy.precision import ComputePrecision, autocast
from aim.train import stage1
from aim.train.batches import PreparedBatch
from aim.train.gradients import GraphedGradients
from aim.util.device_timing import time_call, time_steps

NUM_WARMUP_RUNS = 2  # runs that are not counted
NUM_RANDOM_TEXT_TOKENS = (
    12  # tokens of a sentence that is made up; models that go on from Wan read `text.WAN_TEXT_TOKENS`
)

# dense FLOP/s in bfloat16 (vendors' data sheets); the first name that is part of the device's counts
BF16_PEAK_FLOPS: Mapping[str, float] = MappingProxyType(
    {"H100 PCIe": 756e12, "H100": 989e12, "H200": 989e12, "A100": 312e12, "RTX 4090": 165e12, "RTX 5090": 209e12}
)
MATMUL_SIZES: Mapping[str, int] = MappingProxyType({"cpu": 1024, "cuda": 8192})  # of the product that measures a peak
NUM_MATMULS = 6


@dataclass(frozen=True)
class DenoisingSteps:
    """Number of denoising steps of a chunk."""

    video: int
    action: int


@dataclass(frozen=True)
class ChunkTiming:
    """Seconds of one action chunk: encoding the context, denoising the future, denoising the actions."""

    encode: float
    video: float
    action: float

    @property
    def total(self) -> float:
        """Sum of all parts."""
        return self.encode + self.video + self.action


@dataclass(frozen=True)
class ChunkInputs:
    """Inputs of a chunk: pictures (b h w 3) of each view, and the context without their tokens.

    An empty sentence leaves the words of the context as they are.
    """

    pictures: tuple[Tensor, ...]
    context: Context
    sentence: str


def random_context(config: ModelConfig, rows: int, generator: torch.Generator) -> Context:
    """Context of random numbers with nothing masked, on the CPU, with the crop of a fovea: cutting it is not timed."""

    def random_tensor(*shape: int) -> Tensor:
        return torch.randn(rows, *shape, generator=generator)

    frame = (config.tokens, config.token_channels)
    num_words = NUM_RANDOM_TEXT_TOKENS if config.text_width == text.TEXT_EMBEDDING_DIM else text.WAN_TEXT_TOKENS
    return Context(
        past_rgb=random_tensor(config.past_frames, *frame),
        past_action=random_tensor(config.past_actions, config.action_dim),
        past_valid=torch.ones(rows, dtype=torch.bool), rgb=random_tensor(*frame), state=random_tensor(config.state_dim),
        text=random_tensor(num_words, config.text_width), text_valid=torch.ones(rows, num_words, dtype=torch.bool),
        points=random_tensor(config.tokens, 4) if config.geometry else None,
        fovea=Fovea(
            torch.randint(256, (rows, config.fovea, config.fovea, 3), generator=generator, dtype=torch.uint8),
            torch.zeros(rows, 2),
        ) if config.fovea else None,
    )  # fmt: skip


def random_sample(config: ModelConfig, rows: int, generator: torch.Generator) -> Sample:
    """Training batch of random numbers with nothing masked, on the CPU."""
    frames = (rows, config.num_future_frames, config.tokens, config.token_channels)
    return Sample(
        context=random_context(config, rows, generator), rgb=torch.randn(frames, generator=generator),
        map=torch.randn(frames, generator=generator),
        action=torch.randn(rows, config.chunk, config.action_dim, generator=generator),
        map_valid=torch.ones(rows, dtype=torch.bool), action_valid=torch.ones(config.action_dim, dtype=torch.bool),
    )  # fmt: skip


def make_inputs(run: Run, rows: int, sentence: str, device: torch.device) -> ChunkInputs:
    """Random inputs of `rows` rows with one instruction."""
    generator = torch.Generator().manual_seed(0)
    pictures = tuple(
        torch.randint(256, (rows, view.height, view.width, 3), generator=generator, dtype=torch.uint8)
        for view in run.codec.views
    )
    return ChunkInputs(pictures, move_batch(random_context(run.model, rows, generator), device), sentence)


def encode_context(codec: PictureCodec, inputs: ChunkInputs) -> Context:
    """Context of a chunk: pictures encoded to tokens, the instruction encoded (cached after the first call)."""
    context = replace(inputs.context, rgb=codec.encode(inputs.pictures, "rgb"))
    if not inputs.sentence:
        return context
    words, valid = text.encode_sentences([inputs.sentence] * len(context.rgb))
    return replace(context, text=words.to(context.rgb.device), text_valid=valid.to(context.rgb.device))


@torch.inference_mode()
def time_chunk(
    model: WorldActionModel,
    codec: PictureCodec,
    inputs: ChunkInputs,
    steps: DenoisingSteps,
    compute_precision: ComputePrecision,
    recompute: bool = False,
) -> tuple[ChunkTiming, Tensor]:
    """Timing of one chunk and its normalised actions (b k d), which equal those of `WorldActionModel.sample_actions`.

    With `recompute` no keys and values are cached: every denoising step runs all that it attends to.
    """
    config, device, rows = model.config, inputs.context.rgb.device, len(inputs.context.rgb)
    draws = flow.seed_rows(0, rows)
    encode, context = time_call(device, lambda: encode_context(codec, inputs))
    noise = draws.gaussian(context.rgb.new_empty(rows, config.chunk, config.action_dim))
    with autocast(compute_precision, device):
        predictor = _disable_cache(model, context) if recompute else model
        video, imagined = time_call(device, lambda: predictor.predict_future_if_needed(context, steps.video, draws))

        def velocity(z: Tensor, s: float) -> Tensor:
            cache = _extend_cache(model, context, imagined) if recompute else imagined.cache
            return model.predict_action_velocity(cache, z, z.new_full((1,), s))

        levels = flow.build_schedule(steps.action, config.action_shift)
        action, actions = time_call(device, lambda: flow.integrate_euler(noise, levels, velocity))
    return ChunkTiming(encode, video, action), actions


def time_chunks(
    model: WorldActionModel,
    codec: PictureCodec,
    inputs: ChunkInputs,
    steps: DenoisingSteps,
    compute_precision: ComputePrecision,
    count: int,
    recompute: bool = False,
) -> list[ChunkTiming]:
    """Timings of `count` chunks after warm-up."""
    timings = [
        time_chunk(model, codec, inputs, steps, compute_precision, recompute)[0] for _ in range(NUM_WARMUP_RUNS + count)
    ]
    return timings[NUM_WARMUP_RUNS:]


def median_timing(timings: list[ChunkTiming]) -> ChunkTiming:
    """Median of every part."""
    parts = ("encode", "video", "action")
    return ChunkTiming(*(statistics.median(vars(timing)[part] for timing in timings) for part in parts))


@dataclass(frozen=True)
class SpeedOptions:
    """Training options that affect speed only."""

    checkpointing: bool = False  # layers are computed again in the backward pass, not kept
    compiled: bool = False
    attention: Attention = "segments"
    graphed: bool = False


def time_training(
    run: Run, count: int, compute_precision: ComputePrecision, device: torch.device, options: SpeedOptions
) -> tuple[list[float], WorldActionModel]:
    """Seconds of `count` steps of Stage I on random data after warm-up, and the model.

    The batch lies in memory, as the next one does in training, where another thread makes it.
    """
    config = replace(run.train, checkpointing=options.checkpointing)
    with device:  # drawn where they are needed: five billion numbers take a processor a minute
        training = stage1.begin_training(replace(run, train=config), device, options.compiled)
    training.model.trunk.attention_backend = options.attention
    data = random_sample(run.model, config.batch_size, torch.Generator().manual_seed(0))

    graph = GraphedGradients(training, config, compute_precision) if options.graphed else None

    def run_step(step: int) -> None:
        batch = PreparedBatch(move_batch(data, device), flow.seed_rows(step, config.batch_size))
        stage1.take_step(training, batch, config, step, config.lr, compute_precision, graph)

    return time_steps(device, run_step, NUM_WARMUP_RUNS + count)[NUM_WARMUP_RUNS:], training.model


def count_flop_per_sample(config: ModelConfig, rows: int) -> float:
    """Floating-point operations per sample of a training step of `rows` samples, forward and backward.

    Counted on a device that only knows shapes: what is computed twice to save memory counts once.
    """
    with torch.device("meta"):
        model = WorldActionModel(config)
        if config.lora_rank:
            lora.add_adapters(model, config.lora_rank, config.lora_alpha)
    data = move_batch(random_sample(config, rows, torch.Generator().manual_seed(0)), "meta")
    with FlopCounterMode(display=False) as counter:
        model.compute_losses(data, flow.seed_rows(0, rows))["total"].backward()
    return counter.get_total_flops() / rows


def find_peak_flops(device: torch.device, compute_precision: ComputePrecision) -> tuple[float, str]:
    """Peak FLOP/s of a device, and its source: data sheet or a measured large matrix product."""
    if device.type == "cuda" and compute_precision == "bf16":
        data_sheet_flops = look_up_peak_flops(torch.cuda.get_device_name(device))
        if data_sheet_flops:
            return data_sheet_flops, "data sheet"
    side = MATMUL_SIZES[device.type]
    a = torch.ones(side, side, dtype=torch.bfloat16 if compute_precision == "bf16" else torch.float32, device=device)
    best = min(time_call(device, lambda: a @ a)[0] for _ in range(NUM_MATMULS))
    return 2.0 * side**3 / best, "measured"


def look_up_peak_flops(name: str) -> float | None:
    """Dense bfloat16 FLOP/s of a GPU by its name; None if it is not in the table."""
    return next((value for part, value in BF16_PEAK_FLOPS.items() if part in name), None)


def _extend_cache(model: WorldActionModel, context: Context, imagined: PredictedFuture) -> KvCache:
    """Cache of a context, encoded anew, and of the part of the predicted future that actions attend to."""
    cache, copied = model.encode_context(context), intent.condition_kind(model.who)
    future = {"m": imagined.map, "x": imagined.rgb}[intent.COPY_OF[copied]] if copied else None
    return cache if future is None else model.append_condition(cache, future, context.fovea)


def _disable_cache(model: WorldActionModel, context: Context) -> WorldActionModel:
    """Copy of the model, sharing its weights, that encodes the context again for every velocity."""
    fresh = copy.copy(model)

    def velocity(cache: KvCache, rgb: Tensor, maps: Tensor | None, s: Tensor) -> tuple[Tensor, Tensor | None]:
        return model.predict_video_velocity(model.encode_context(context), rgb, maps, s)

    vars(fresh)[WorldActionModel.predict_video_velocity.__name__] = velocity
    return fresh
