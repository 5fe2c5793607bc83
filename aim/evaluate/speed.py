"""How fast a machine is at the model: one chunk of actions in its parts, and one step of training.

A time is taken with everything on the device finished before and after it. The first few are not counted: they
compile, choose kernels and fill caches. Nothing here depends on what the numbers are, so they are random.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType
from typing import TypeVar

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from aim.config import Attention, ModelConfig, Run
from aim.model import flow, intent, lora, text
from aim.model.aim import AIM
from aim.model.batch import Cache, Context, Imagined, Sample, move
from aim.model.codec import PictureCodec
from aim.train import precision, stage1
from aim.train.batches import Prepared
from aim.train.precision import Number
from aim.util.machine import MIB

WARM_UP = 2  # runs that are not counted
WORDS = 12  # tokens of a sentence that is made up; models that go on from Wan read `text.READ`

# dense FLOP/s in bfloat16 (vendors' data sheets); the first name that is part of the device's counts
PEAKS: Mapping[str, float] = MappingProxyType(
    {"H100 PCIe": 756e12, "H100": 989e12, "H200": 989e12, "A100": 312e12, "RTX 4090": 165e12, "RTX 5090": 209e12}
)
MATMUL_SIDES: Mapping[str, int] = MappingProxyType({"cpu": 1024, "cuda": 8192})  # of the product that measures a peak
TIMES = 6

T = TypeVar("T")


@dataclass(frozen=True)
class Steps:
    """Denoising steps of a chunk."""

    video: int
    action: int


@dataclass(frozen=True)
class Chunk:
    """Seconds that one chunk took: the present seen and read, the future denoised, the actions denoised."""

    encode: float
    video: float
    action: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.encode + self.video + self.action


@dataclass(frozen=True)
class Asked:
    """What a chunk is asked with: pictures (b h w 3) of each view, and the rest of the context without their tokens.

    An empty sentence leaves the words of the context as they are.
    """

    pictures: tuple[Tensor, ...]
    context: Context
    sentence: str


def seconds(device: torch.device, work: Callable[[], T]) -> tuple[float, T]:
    """Return how long `work` took and what it returned."""
    _finish(device)
    start = time.perf_counter()
    result = work()
    _finish(device)
    return time.perf_counter() - start, result


def paced(device: torch.device, work: Callable[[int], object], count: int) -> list[float]:
    """Return how long each of `count` pieces of work took, one behind another: a GPU is not waited for in between."""
    if device.type != "cuda":
        return [seconds(device, lambda now=step: work(now))[0] for step in range(count)]
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(count + 1)]
    marks[0].record()
    for step in range(count):
        work(step)
        marks[step + 1].record()
    _finish(device)
    return [before.elapsed_time(after) / 1e3 for before, after in pairwise(marks)]


def context(config: ModelConfig, rows: int, draw: torch.Generator) -> Context:
    """Return a context of random numbers with everything known, on the CPU."""

    def some(*shape: int) -> Tensor:
        return torch.randn(rows, *shape, generator=draw)

    frame, words = (
        (config.tokens, config.token_channels),
        WORDS if config.text_width == text.TEXT_EMBEDDING_DIM else text.READ,
    )
    return Context(
        past_rgb=some(config.past_frames, *frame), past_action=some(config.past_actions, config.action_dim),
        past_valid=torch.ones(rows, dtype=torch.bool), rgb=some(*frame), state=some(config.state_dim),
        text=some(words, config.text_width), text_valid=torch.ones(rows, words, dtype=torch.bool),
        points=some(config.tokens, 4) if config.geometry else None,
    )  # fmt: skip


def sample(config: ModelConfig, rows: int, draw: torch.Generator) -> Sample:
    """Return a training batch of random numbers in which everything counts, on the CPU."""
    frames = (rows, config.futures, config.tokens, config.token_channels)
    return Sample(
        context=context(config, rows, draw), rgb=torch.randn(frames, generator=draw),
        map=torch.randn(frames, generator=draw),
        action=torch.randn(rows, config.chunk, config.action_dim, generator=draw),
        map_valid=torch.ones(rows, dtype=torch.bool), action_valid=torch.ones(config.action_dim, dtype=torch.bool),
    )  # fmt: skip


def asked(run: Run, rows: int, sentence: str, device: torch.device) -> Asked:
    """Return random pictures, joints and past of `rows` copies that are all told the same."""
    draw = torch.Generator().manual_seed(0)
    pictures = tuple(
        torch.randint(256, (rows, view.height, view.width, 3), generator=draw, dtype=torch.uint8)
        for view in run.codec.views
    )
    return Asked(pictures, move(context(run.model, rows, draw), device), sentence)


def read(codec: PictureCodec, what: Asked) -> Context:
    """Return the context of a chunk: pictures as tokens, the sentence as the policy reads it (once, then known)."""
    known = replace(what.context, rgb=codec.encode(what.pictures, "rgb"))
    if not what.sentence:
        return known
    words, valid = text.encode([what.sentence] * len(known.rgb))
    return replace(known, text=words.to(known.rgb.device), text_valid=valid.to(known.rgb.device))


@torch.inference_mode()
def chunk(
    model: AIM, codec: PictureCodec, what: Asked, steps: Steps, number: Number, anew: bool = False
) -> tuple[Chunk, Tensor]:
    """Return the times of one chunk and its normalised actions (b k d): those of `AIM.act`.

    With `anew` no keys and values are remembered: every denoising step runs all that it sees, for the same actions.
    """
    config, device, rows = model.config, what.context.rgb.device, len(what.context.rgb)
    draws = flow.draws(0, rows)
    encode, known = seconds(device, lambda: read(codec, what))
    noise = draws.gaussian(known.rgb.new_empty(rows, config.chunk, config.action_dim))
    with precision.autocast(number, device):
        seer = _forgetful(model, known) if anew else model
        video, imagined = seconds(device, lambda: seer.foresee(known, steps.video, draws))

        def velocity(z: Tensor, s: float) -> Tensor:
            cache = _against(model, model.remember(known), imagined) if anew else imagined.cache
            return model.action_velocity(cache, z, z.new_full((1,), s))

        levels = flow.schedule(steps.action, config.action_shift)
        action, actions = seconds(device, lambda: flow.walk(noise, levels, velocity))
    return Chunk(encode, video, action), actions


def chunks(
    model: AIM, codec: PictureCodec, what: Asked, steps: Steps, number: Number, count: int, anew: bool = False
) -> list[Chunk]:
    """Return the times of `count` chunks, after a few that are not counted."""
    return [chunk(model, codec, what, steps, number, anew)[0] for _ in range(WARM_UP + count)][WARM_UP:]


def median(chunks: list[Chunk]) -> Chunk:
    """Return the median of every part."""
    return Chunk(*(statistics.median(vars(one)[part] for one in chunks) for part in ("encode", "video", "action")))


@dataclass(frozen=True)
class How:
    """Ways to train that change the speed alone."""

    checkpointing: bool = False  # layers are computed again in the backward pass, not kept
    compiled: bool = False
    attention: Attention = "segments"


def training(run: Run, count: int, number: Number, device: torch.device, how: How) -> tuple[list[float], AIM]:
    """Return the seconds of `count` steps of Stage I on random data, the first few left out, and the model.

    The batch lies in memory, as the next one does in training, where another thread makes it.
    """
    config = replace(run.train, checkpointing=how.checkpointing)
    with device:  # drawn where they are needed: five billion numbers take a processor a minute
        made = stage1.begin(replace(run, train=config), device, how.compiled)
    made.model.trunk.way = how.attention
    data = sample(run.model, config.batch_size, torch.Generator().manual_seed(0))

    def advance(step: int) -> None:
        batch = Prepared(move(data, device), flow.draws(step, config.batch_size))
        stage1.advance(made, batch, config, step, config.lr, number)

    return paced(device, advance, WARM_UP + count)[WARM_UP:], made.model


def flop_a_sample(config: ModelConfig, rows: int) -> float:
    """Return a sample's share of the floating-point operations of products in a step of `rows`, forward and back.

    Counted on a device that only knows shapes: what is computed twice to save memory counts once.
    """
    with torch.device("meta"):
        model = AIM(config)
        if config.lora_rank:
            lora.adapt(model, config.lora_rank, config.lora_alpha)
    data = move(sample(config, rows, torch.Generator().manual_seed(0)), "meta")
    with FlopCounterMode(display=False) as counter:
        model.losses(data, flow.draws(0, rows))["total"].backward()
    return counter.get_total_flops() / rows


def peak_flops(device: torch.device, number: Number) -> tuple[float, str]:
    """Return the FLOP/s that a device could do at best, and whether a data sheet says so or a large product."""
    if device.type == "cuda" and number == "bf16" and (known := data_sheet(torch.cuda.get_device_name(device))):
        return known, "data sheet"
    side = MATMUL_SIDES[device.type]
    a = torch.ones(side, side, dtype=torch.bfloat16 if number == "bf16" else torch.float32, device=device)
    best = min(seconds(device, lambda: a @ a)[0] for _ in range(TIMES))
    return 2.0 * side**3 / best, "measured"


def data_sheet(name: str) -> float | None:
    """Return the dense bfloat16 FLOP/s of a GPU by its name, none where it is not in the table."""
    return next((value for part, value in PEAKS.items() if part in name), None)


def forget_peak(device: torch.device) -> None:
    """Let `peak_memory_mib` of a GPU count from here; that of a CPU counts from the start of the process."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_mib(device: torch.device) -> float:
    """Return the most memory in use: what tensors took on a GPU, all of the process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MIB
    unit = 1 if sys.platform == "darwin" else 1024  # bytes, or kibibytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MIB


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute on `count` threads for a while; 0 leaves them as they are."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _against(model: AIM, cache: Cache, imagined: Imagined) -> Cache:
    """Return the cache with what the actions see of the future."""
    copied = intent.condition(model.who)
    future = {"m": imagined.map, "x": imagined.rgb}[intent.COPY_OF[copied]] if copied else None
    return cache if future is None else model.condition(cache, future)


def _forgetful(model: AIM, known: Context) -> AIM:
    """Return the same weights as a model that remembers the past and the present anew for every velocity."""
    fresh = copy.copy(model)

    def velocity(cache: Cache, rgb: Tensor, maps: Tensor | None, s: Tensor) -> tuple[Tensor, Tensor | None]:
        return model.video_velocity(model.remember(known), rgb, maps, s)

    vars(fresh)["video_velocity"] = velocity
    return fresh
