"""Run: everything that decides a training run, as frozen values that travel to `run.json` and back.

Nothing has a hidden default at reading time: a stored run names every field, and one that lacks a field, or has
one more, is refused. Sizes that follow from others (tokens, channels) are properties, so they cannot disagree. What
range a number has stands in its annotation; a section whose number is outside cannot be made.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from aim.util import atomic_file
from aim.util.decode import decode_document
from aim.util.horizons import check_horizon
from sim.task.values import Bound, list_values
from sim.types import STEPS_PER_IMAGE, UserError

SCHEMA = "aim.run/6"
RUN_FILE = "run.json"
Precision = Literal["auto", "fp32", "bf16"]
Predict = Literal["data", "velocity"]
Optimizer = Literal["adamw", "muon"]  # `aim.train.muon`
Size = Annotated[int, Bound(ge=1)]
Count = Annotated[int, Bound(ge=0)]
Positive = Annotated[float, Bound(gt=0.0)]
NotNegative = Annotated[float, Bound(ge=0.0)]
Probability = Annotated[float, Bound(ge=0.0, le=1.0)]
Attention = Literal["segments", "mask", "flex"]  # how it is computed: `aim.model.attention`


@dataclass(frozen=True)
class View:
    """One camera as the codec sees it: pictures are resized to `height` by `width` pixels."""

    name: str
    height: Size
    width: Size

    def __post_init__(self) -> None:
        """Refuse, with `UserError`, a side without pixels."""
        check_ranges(self)


@dataclass(frozen=True)
class CodecConfig:
    """The picture codec: `factor` pixels to a latent along each side, `latent_channels` numbers a latent."""

    views: tuple[View, ...]
    latent_channels: Size = 16
    base_dim: Size = 32
    dim_mult: tuple[Size, ...] = (1, 2, 4, 4)
    factor: Size = 16

    def __post_init__(self) -> None:
        """Refuse, with `UserError`, a number that is outside its range."""
        check_ranges(self)
        _require(len(self.dim_mult) > 0, "dim_mult must have at least one entry")
        halved = 2 ** (len(self.dim_mult) - 1)
        said = f"factor must be a multiple of {halved}, as each entry of dim_mult but the last halves a picture's sides"
        _require(self.factor % halved == 0, f"{said}, not {self.factor}")
        _check_stage_widths(self.dim_mult)


@dataclass(frozen=True)
class ModelConfig:
    """The shape of the world action model. `token_grid` gives (view, y, x) of each token of one latent frame."""

    token_grid: tuple[tuple[int, int, int], ...]
    token_channels: Size  # c: latent channels of the patch that makes a token
    action_dim: Size  # d
    state_dim: Count  # s
    text_width: Size  # e
    width: Size  # of the rgb and the map stream
    action_width: Size
    heads: Size
    head_dim: Size
    layers: Count  # a run has at least one; without any, what stands around them is built alone
    ffn_dim: Size  # width of the feed-forward nets of rgb and map
    action_ffn_dim: Size
    chunk: Size = 32  # k, control steps
    action_patch: Size = 4  # control steps a token
    num_future_frames: Size = 2  # f, latent frames
    past_frames: Count = 1  # p, latent frames before the current one
    past_actions: Count = 16  # q, control steps
    variant: str = "paper"  # who sees whom: a table of aim.model.intent
    shared_map: bool = False  # the map stream uses the weights of rgb (its embedding and head apart)
    geometry: bool = False  # tokens of the current observation carry the 3-D position of their patch
    shift_conditioning: bool = (
        False  # tokens are told by how much their picture was moved: see `DataConfig.shift_augmentations`
    )
    fovea: Count = 0  # side in pixels of a crop of the first view around the map's peak, for the actions; 0: none
    fovea_patch: Size = 16  # pixels of it that make a token, along each side
    predict: Predict = "data"  # what the heads of pictures and maps say; pretrained Wan says velocities
    rope_base: Positive = 100.0  # the longest distance is a few frames or tokens; pretrained Wan has 10,000
    video_shift: Positive = 5.0
    action_shift: Positive = 1.0
    noise_samples_per_action: Size = 1  # noisy chunks of each sample: the rest of the sequence is computed once for all
    map_weight: NotNegative = 1.0
    action_weight: NotNegative = 1.0
    history_noise: Probability = 0.5  # probability that a row's history is noised
    condition_noise: Probability = 0.5  # probability that a row's map condition is noised
    lora_rank: Count = 0  # of adapters beside the frozen weights of rgb and map; 0 trains all weights
    lora_alpha: Positive = 16.0  # the adapters' answer counts alpha / rank

    def __post_init__(self) -> None:
        """Refuse, with `UserError`, a number that is outside its range."""
        check_ranges(self)

    @property
    def tokens(self) -> int:
        """n: tokens a latent frame has over all views."""
        return len(self.token_grid)

    @property
    def full_variant(self) -> str:
        """Name of the variant, "+geometry" behind it where tokens carry the positions of their patches."""
        return self.variant + ("+geometry" if self.geometry else "")

    @property
    def fovea_tokens(self) -> int:
        """Tokens of the crop around the map's peak."""
        return (self.fovea // self.fovea_patch) ** 2

    @property
    def actions_per_frame(self) -> int:
        """Control steps from one latent frame to the next."""
        return self.chunk // self.num_future_frames


@dataclass(frozen=True)
class DataConfig:
    """How an episode is cut into samples: latent frames lie `frame_stride` pictures apart."""

    frame_stride: Size = 4  # pictures of the 12.5 Hz stream
    execution_horizon: Size = 16  # control steps of a chunk that are carried out before the next is asked for
    shift_augmentations: Count = (
        0  # codings of every episode with its pictures moved a little, beside the one as they are
    )
    max_shift_px: Count = 8  # pixels that a picture is moved at most, down and right or up and left

    def __post_init__(self) -> None:
        """Refuse, with `UserError`, a number that is outside its range."""
        check_ranges(self)


@dataclass(frozen=True)
class TrainConfig:
    """One training: it stops at `steps` or after `minutes` of wall clock, whichever comes first (0: no limit)."""

    steps: Count
    batch_size: Size
    lr: NotNegative
    weight_decay: NotNegative = 0.01
    warmup: Count = 100  # steps of linear rise; the learning rate falls by a cosine afterwards
    ema_decay: Annotated[float, Bound(ge=0.0, lt=1.0)] = 0.999
    grad_clip: Positive = 1.0
    seed: Count = 0
    minutes: NotNegative = 0.0
    text_dropout: Probability = 0.1
    history_dropout: Probability = 0.3
    optimizer: Optimizer = "adamw"
    precision: Precision = "auto"
    checkpointing: bool = False  # recompute layers in the backward pass: less memory, more time

    def __post_init__(self) -> None:
        """Refuse, with `UserError`, a number that is outside its range."""
        check_ranges(self)


@dataclass(frozen=True)
class Run:
    """A complete configuration, stored beside every checkpoint."""

    preset: str
    robot: str
    codec: CodecConfig
    model: ModelConfig
    codec_train: TrainConfig
    train: TrainConfig
    data: DataConfig = field(default_factory=DataConfig)
    weights: str = ""  # pretrained Wan, a hub's name or a folder: model, codec and text encoder go on from it

    def __post_init__(self) -> None:
        """Refuse, with `UserError`, numbers that contradict each other."""
        model, steps = self.model, self.data.frame_stride * STEPS_PER_IMAGE
        whole = model.num_future_frames * steps
        _require(
            model.chunk == whole,
            f"chunk must be {whole}: {model.num_future_frames} frames, {steps} control steps apart",
        )
        _require(model.layers > 0, "layers must be at least 1")
        check_horizon(steps, self.data.execution_horizon, model.chunk, model.past_frames)
        for name, length in (("chunk", model.chunk), ("past_actions", model.past_actions)):
            _require(length % model.action_patch == 0, f"{name} must be a multiple of action_patch")
        _require(model.past_actions % model.actions_per_frame == 0, f"past_actions must be a multiple of {steps}")
        fits = model.past_actions == 0 or steps % model.action_patch == 0
        said = f"action_patch must divide {steps}, the control steps of a latent frame, as past actions have it"
        _require(fits, said)
        said = "adapters stand beside pretrained weights, which the preset wan5b has; give --model.lora-rank 0"
        _require(not model.lora_rank or bool(self.weights), said)
        _require(max(self.train.steps, self.train.minutes) > 0, "a training needs an end: steps or minutes above 0")
        _require(
            model.shift_conditioning == (self.data.shift_augmentations > 0),
            "model.shift_conditioning must say whether data.shift_augmentations is above 0",
        )
        _require(model.fovea % model.fovea_patch == 0, "fovea must be a multiple of fovea_patch")
        _require(model.fovea == 0 or not self.weights, "pretrained weights have no fovea")
        _require(self.codec_train.optimizer == "adamw", "the codec is trained with adamw")
        _require(self.train.optimizer == "adamw" or not model.lora_rank, "muon is for matrices that train as a whole")
        _require(model.head_dim % 2 == 0 and model.head_dim >= 6, "head_dim must be even and at least 6")
        _require(
            model.token_grid == build_token_grid(self.codec), "the model's token_grid is not that of the codec's views"
        )
        _require(
            model.token_channels == compute_token_channels(self.codec),
            "the model's token_channels do not fit the codec",
        )


TOKEN_PATCH = 2  # latents a token has along each side


def compute_token_channels(codec: CodecConfig) -> int:
    """Return c, the numbers a token carries."""
    return codec.latent_channels * TOKEN_PATCH * TOKEN_PATCH


def build_token_grid(codec: CodecConfig) -> tuple[tuple[int, int, int], ...]:
    """Return (view, y, x) of each token of one latent frame, view by view, row by row; `UserError` on an odd size."""
    side = codec.factor * TOKEN_PATCH
    for view in codec.views:
        fits = view.height % side == 0 and view.width % side == 0
        _require(fits, f"view {view.name!r}: sides must be multiples of {side}")
    return tuple(
        (index, y, x)
        for index, view in enumerate(codec.views)
        for y in range(view.height // side)
        for x in range(view.width // side)
    )


def encode_run(run: Run) -> str:
    """Return the run as JSON text, every field named."""
    return json.dumps({"schema": SCHEMA, **dataclasses.asdict(run)}, indent=2) + "\n"


def decode_run(text: str) -> Run:
    """Return the run that `encode_run` wrote; `UserError` naming the field where the schema is broken."""
    return decode_document(Run, text, SCHEMA, RUN_FILE)


def save_run(run: Run, folder: Path) -> None:
    """Write `run.json` into `folder`."""
    atomic_file.write_text(folder / RUN_FILE, encode_run(run))


def load_run(folder: Path) -> Run:
    """Return the run stored in `folder`; `UserError` where there is none."""
    path = folder / RUN_FILE
    _require(path.is_file(), f"no run.json in {folder}")
    try:
        return decode_run(path.read_text(encoding="utf-8"))
    except UserError as error:
        raise UserError(f"{folder}: {error}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text: {error}") from error


def check_ranges(section: object) -> None:
    """Raise `UserError` where a number of a section is not finite or outside the range of its annotation."""
    for name, hint in typing.get_type_hints(type(section), include_extras=True).items():
        value = vars(section)[name]
        for number in list_values(value):
            for bound in _list_bounds(hint):
                fits = math.isfinite(number) and bound.allows(number)
                _require(fits, f"{name} must be a finite number {bound.describe()}, not {number!r}")


def _check_stage_widths(dim_mult: tuple[int, ...]) -> None:
    """Raise `UserError` where a stage of Wan's autoencoder has no shortcut.

    Each encoder stage but the last halves the sides, and its shortcut folds 2 x 2 pixels into channels and averages
    groups of them; each decoder stage but the last repeats channels and unfolds them. Both must come out even.
    """
    last = len(dim_mult) - 1
    for stage, (before, after) in enumerate(itertools.pairwise((1, *dim_mult))):
        fold = 4 if stage < last else 1
        said = f"dim_mult {dim_mult}: entry {after} must divide {fold} times the width before it, {before}"
        _require(fold * before % after == 0, said)
    for before, after in itertools.pairwise((dim_mult[-1], *dim_mult[:0:-1])):
        said = f"dim_mult {dim_mult}: {before} must divide 4 times {after}, the width after it in the decoder"
        _require(4 * after % before == 0, said)


def _list_bounds(hint: Any) -> tuple[Bound, ...]:  # noqa: ANN401 - what `typing` makes of a type
    """Ranges of a number, or of each number of a tuple, in its annotation."""
    hint = typing.get_args(hint)[0] if typing.get_origin(hint) is tuple else hint
    return typing.get_args(hint)[1:] if typing.get_origin(hint) is Annotated else ()


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise UserError(message)
