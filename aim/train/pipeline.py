"""Training pipeline: codec, latents of every picture, Stage I. Finished parts are kept in `out`.

run.json   log.jsonl   codec/{codec.safetensors, quality.json}   latents/KEY/{rgb,map}.f16   step-NNNNNN/
codec/training.safetensors   while the codec is trained, and where it turned out poor
tensorboard/   imagined/step-NNNNNN.webp   best/, where tasks were given to judge by
data.json              which episodes are learned from
commands.txt           the command lines that trained it, one a line
init/                  the weights that it started from, where they are another run's
mapping.json           how the numbers of a recorded set became ours, where it was one
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

from aim import config
from aim.config import Run, TrainConfig
from aim.data import fovea, instruction_check, latents, loader, transforms
from aim.data import source as sources
from aim.data.source import Data, Ref, Source
from aim.data.transforms import Transform
from aim.data.view_pictures import sample_view_pictures
from aim.model import canvas
from aim.model.image_codec import PictureCodec
from aim.policy import pretrained
from aim.policy.checkpoint import demand_newest, find_newest, list_checkpoints, load_module
from aim.train import checkpoint, codec_state, distributed, initial, optim, out_of_memory, provenance, stage1
from aim.train import codec as codec_training
from aim.train.codec import CodecQuality
from aim.train.hooks import TrainingOptions
from aim.train.initial import InitialPolicy
from aim.train.log import Log, open_log
from aim.train.stage1 import Outcome
from aim.util import console
from aim.util.decode import decode_json
from aim.util.folder_lock import is_empty
from aim.util.interrupts import defer_signals
from sim.types import UserError

NUM_CODEC_INSTANTS = 2400  # that the codec learns from
NUM_QUALITY_INSTANTS = 200  # that it is judged by
HELD_OUT_PERIOD = 20  # one episode of so many is for judging
CODEC_FILE, QUALITY_FILE = "codec.safetensors", "quality.json"
CODEC_CURE = "--resume with more --codec-minutes trains it further; a new run may have more --codec.latent-channels"
RESUMABLE_FIELDS = ("steps", "minutes", "precision", "checkpointing")  # what may change when a training goes on


@dataclass(frozen=True)
class TrainingResult:
    """Outcome and codec quality, and the seconds of each part since the training began or was resumed."""

    outcome: Outcome
    quality: CodecQuality
    seconds: dict[str, float]


def train_policy(
    run: Run, data: Data, out: Path, resume: bool, device: torch.device, until: int | None = None,
    options: TrainingOptions | None = None, codec_run: Path | None = None, init_run: Path | None = None,
) -> TrainingResult:  # fmt: skip
    """Run the remaining parts of the training in `out`; `UserError` if `out` holds another run.

    With `codec_run`, the folder of another run, its codec is used; with `init_run` its codec and weights are what the
    training starts from. Of several processes the main one makes
    the codec and the latents, and the others read them.
    """
    options = options or TrainingOptions()
    distributed.local_rows(run.train.batch_size)
    optim.check_optimizer(run.train, distributed.get_world_size())
    source = sources.of(data)
    check_dataset(run, source)
    source = provenance.order_episodes(source, out)
    if run.model.geometry:  # data without depth is refused before anything is made of it
        still = [(0, 0)] * len(run.codec.views)
        source.points(source.episodes[0], run.codec.views, canvas.compute_token_grids(run.codec), still)
    has_codec = bool(run.weights or codec_run or init_run) or (out / "codec" / CODEC_FILE).is_file()
    if not has_codec and max(run.codec_train.steps, run.codec_train.minutes) == 0:
        raise UserError("the codec's training needs an end: codec-train.steps or --codec-minutes above 0")
    start = initial.find_initial(init_run, run) if init_run else None
    moves, all_windows = loader.motions(source), loader.windows(source)
    instruction_check.check_instructions(moves.instructions, run.weights)
    latents.check_disk_room(out / "latents", source, run.codec, run.data)
    distributed.run_on_main_first(
        lambda: _prepare_folder(run, source, out, resume, codec_run, start, options.command), lambda: None
    )
    log = distributed.run_on_main_first(lambda: open_log(out, options.wandb_project, dataclasses.asdict(run)), Log)
    stopwatch, load_codec = (
        Stopwatch(),
        functools.partial(_load_or_train_codec, run, source, out / "codec", device, log),
    )
    # torchrun passes on signals that its processes have received already
    ignore_repeats = distributed.get_world_size() > 1
    try:
        with out_of_memory.explain_out_of_memory(
            lambda: checkpoint.describe_remains(out), "a smaller preset", "--device cpu"
        ):
            codec, quality = distributed.run_on_main_first(load_codec, load_codec)
            stopwatch.record_lap("codec")
            with defer_signals(ignore_repeats) as signals:
                encode_latents = functools.partial(latents.cached, out / "latents", codec, source, run.data, signals)
                tokens = distributed.run_on_main_first(encode_latents, encode_latents)
        if run.model.geometry:
            tokens = latents.with_points(tokens, source, run.codec)
        seconds = stopwatch.record_lap("latents")
        log.write("latents", {"instants": tokens.rgb.shape[1], "seconds": seconds})
        transform = _load_transform(run, out) or loader.fit_transform(run, moves, all_windows, source)
        instructions = loader.read_words(moves.instructions, run.weights)
        crops = None
        if run.model.fovea:
            read_crops = functools.partial(fovea.read_crops, out / "latents", source, run)
            crops = distributed.run_on_main_first(read_crops, read_crops)
        batches = loader.Loader(run, tokens, moves, all_windows, instructions, transform, crops)
        with defer_signals(ignore_repeats) as signals:
            outcome = stage1.train_stage1(run, batches, codec, out, log, signals, device, until, options)
            stopped = bool(signals)
    except KeyboardInterrupt as stop:
        raise stop if str(stop) else KeyboardInterrupt(f"{describe_kept(out)}; --resume goes on") from None
    finally:
        log.close()
    if stopped:
        raise KeyboardInterrupt(f"kept step {outcome.steps} in {outcome.checkpoint}; --resume goes on")
    stopwatch.record_lap("stage1")
    return TrainingResult(outcome, quality, stopwatch.laps)


class Stopwatch:
    """Seconds of each part."""

    def __init__(self) -> None:
        """Start."""
        self.laps: dict[str, float] = {}
        self.last = time.monotonic()

    def record_lap(self, part: str) -> float:
        """Record and return the seconds since the last lap."""
        now = time.monotonic()
        self.laps[part], self.last = now - self.last, now
        return self.laps[part]


def check_dataset(run: Run, data: Data, label: str = "the run") -> None:
    """Raise `UserError`, calling the run `label`, if the dataset has another robot, views or channels."""
    source = sources.of(data)
    if source.robot != run.robot:
        raise UserError(f"{source.path} is of robot {source.robot!r}, {label} is for {run.robot!r}")
    views, present = [view.name for view in run.codec.views], ", ".join(source.cameras)
    missing = [name for name in views if name not in source.cameras]
    if missing:
        raise UserError(
            f"{source.path} has no camera {', '.join(missing)}; it has {present}, {label} {', '.join(views)}"
        )
    channels, measured = len(source.info.action), len(source.info.state)
    if channels != run.model.action_dim:
        raise UserError(f"{source.path} has {channels} joints and grippers, {label} is for {run.model.action_dim}")
    if measured != run.model.state_dim:
        raise UserError(f"{source.path} measures {measured} channels, {label} is for {run.model.state_dim}")
    if not source.episodes:
        raise UserError(f"{source.path} has no episodes")
    fovea.check_fovea(run, source)


def claim_folder(
    run: Run, source: Source, out: Path, resume: bool, fill: Callable[[], None] = lambda: None
) -> None:  # fmt: skip
    """Make `out` the folder of this run, or resume it; `UserError`, with nothing changed, if it holds another.

    `fill` puts into it what the run starts from, before the folder counts as that of a run.
    """
    if (out / config_name()).exists():
        check_dataset(config.load_run(out), source, f"the run in {out}")
        differences_found = describe_run_differences(config.load_run(out), run) or provenance.describe_differences(
            source, out, may_grow=resume
        )
        if differences_found:
            raise UserError(f"{out} holds another run: {'; '.join(differences_found)}; choose another folder")
        if list_checkpoints(out) and not resume:
            newest = list_checkpoints(out)[-1].name
            raise UserError(f"{out} holds {newest} of this run; --resume goes on, or choose another folder")
        demand_newest(out, checkpoint.TRAINING_FILES)
        if count := provenance.count_new_episodes(source, out):
            before = len(source.episodes) - count
            console.print_note(f"{count} new episodes beside the {before} that it began with: only they are coded")
    elif out.exists() and not (out.is_dir() and is_empty(out)):
        raise UserError(f"{out} is not empty and holds no run; choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    fill()
    provenance.save_provenance(source, out)
    config.save_run(run, out)


def config_name() -> str:
    """File name of a run's configuration."""
    return "run.json"


def describe_run_differences(stored: Run, requested: Run) -> list[str]:
    """Differences between two runs, apart from fields that may change when a training is resumed."""
    a, b = _flatten_run(stored), _flatten_run(requested)
    lines = [f"{key} is {a[key]!r}, not {b[key]!r}" for key in a if a[key] != b[key]]
    return lines[:1] if stored.preset != requested.preset or len(lines) < 2 else [lines[0], f"{len(lines) - 1} more"]


def _flatten_run(run: Run) -> dict[str, object]:
    fields: dict[str, object] = {"preset": run.preset, "robot": run.robot}
    for part in ("codec", "model", "data", "train", "codec_train"):
        value = vars(run)[part]
        free = RESUMABLE_FIELDS if isinstance(value, TrainConfig) else ()
        fields |= {f"{part}.{f.name}": vars(value)[f.name] for f in dataclasses.fields(value) if f.name not in free}
    return fields


def _prepare_folder(
    run: Run, source: Source, out: Path, resume: bool, codec_run: Path | None, start: InitialPolicy | None,
    command: str,
) -> None:  # fmt: skip
    """Claim `out`, and link into it what is taken over from the run in `codec_run`, or from that of `start`."""
    if codec_run and start:
        raise UserError("--init takes over the codec too; leave --codec out")
    if codec_run and not (codec_run / "codec" / CODEC_FILE).is_file():
        raise UserError(f"there is no codec in {codec_run}; give the folder of a run, or leave --codec out")
    if codec_run and config.load_run(codec_run).codec != run.codec:
        raise UserError(f"the codec in {codec_run} is of another shape than preset {run.preset!r} wants")
    exists = (out / config_name()).exists()
    if exists and start:
        initial.check_same_start(start, out)
    fill = functools.partial(initial.take_over, start, out) if start and not exists else lambda: None
    claim_folder(run, source, out, resume, fill)
    provenance.add_command(out, command)
    for part in ("codec", "latents") if codec_run else ():
        if codec_run and (codec_run / part).exists() and not (out / part).exists():
            ignored = shutil.ignore_patterns(codec_state.STATE_FILE)  # a codec is trained further where it was begun
            shutil.copytree(codec_run / part, out / part, ignore=ignored, copy_function=initial.link_or_copy)


def describe_kept(out: Path) -> str:
    """What of a training is kept in `out`, in words."""
    newest, codec = find_newest(out, checkpoint.TRAINING_FILES), out / "codec"
    if newest:
        return f"kept {newest}"
    for file, name in ((CODEC_FILE, "the codec"), (codec_state.STATE_FILE, "the codec as far as it was trained")):
        if (codec / file).is_file():
            return f"kept {name} in {codec / file}"
    return "nothing was made yet"


def _load_or_train_codec(
    run: Run, source: Source, folder: Path, device: torch.device, log: Log
) -> tuple[PictureCodec, CodecQuality]:
    """Codec stored in `folder`; if there is none, a new one is trained and stored.

    One that turned out poor is trained further where the run gives it more steps or minutes than it had.
    """
    path, report, state_file = folder / CODEC_FILE, folder / QUALITY_FILE, folder / codec_state.STATE_FILE
    exists = path.is_file()
    if exists and not codec_state.wants_more_training(state_file, run.codec_train):
        codec = pretrained.build_codec(run, half=device.type == "cuda").to(device).eval()
        load_module(path, codec)
        pretrained.check_fingerprint(codec, run.weights)
        if report.is_file():
            return codec, _read_quality(report)
        return codec, _judge_codec(run, source, codec, folder, log)
    if exists:
        newest = find_newest(folder.parent, checkpoint.TRAINING_FILES)
        after = f"; {newest.name} goes on with it" if newest else ""
        console.print_note(f"the poor codec in {folder} is trained further, and pictures are coded anew{after}")
    if run.weights:
        codec = pretrained.build_codec(run, half=device.type == "cuda").to(device).eval()
    else:
        refs, seed = split_episodes(source)[0], run.codec_train.seed
        frames = sample_view_pictures(source, refs, run.codec, NUM_CODEC_INSTANTS, seed)
        codec = codec_training.train_codec(run, frames, device, log, state_file)
    folder.mkdir(exist_ok=True)
    quality = _judge_codec(run, source, codec, folder, log)
    part = path.with_suffix(".part")
    save_file({name: value.contiguous() for name, value in codec.state_dict().items()}, part)
    os.replace(part, path)
    if not codec_training.list_warnings(quality):
        state_file.unlink(missing_ok=True)
    return codec, quality


def _judge_codec(run: Run, source: Source, codec: PictureCodec, folder: Path, log: Log) -> CodecQuality:
    """Quality of a codec on held-out episodes, kept in its folder; a note says what is poor and what cures it."""
    refs, seed = split_episodes(source)[1], run.codec_train.seed + 1
    quality = codec_training.measure_quality(
        codec, sample_view_pictures(source, refs, run.codec, NUM_QUALITY_INSTANTS, seed)
    )
    log.write("codec", dataclasses.asdict(quality))
    (folder / QUALITY_FILE).write_text(json.dumps(dataclasses.asdict(quality), indent=1) + "\n")
    warnings = codec_training.list_warnings(quality)
    if warnings:
        cure = CODEC_CURE if (folder / codec_state.STATE_FILE).is_file() else "it was not trained on this data"
        console.print_note(f"the codec is poor: {'; '.join(warnings)}; {cure}")
    return quality


def _read_quality(report: Path) -> CodecQuality:
    """Codec quality from its report; `UserError` if that is damaged."""
    try:
        return decode_json(CodecQuality, report.read_text(), "quality")
    except (OSError, ValueError) as error:
        raise UserError(f"{report} is damaged; remove {report.parent}, and the codec is made anew") from error


def split_episodes(source: Source) -> tuple[list[Ref], list[Ref]]:
    """Episodes that the codec is trained on and held-out ones; a small dataset serves as both."""
    refs = list(source.episodes)
    if len(refs) < HELD_OUT_PERIOD:
        return refs, refs
    held_out = refs[HELD_OUT_PERIOD - 1 :: HELD_OUT_PERIOD]
    return [ref for ref in refs if ref not in held_out], held_out


def _load_transform(run: Run, out: Path) -> Transform | None:
    """Transform of the newest checkpoint in `out`, None if there is none."""
    newest = find_newest(out, checkpoint.TRAINING_FILES)
    return transforms.read(newest, run.robot, run.model.action_dim, run.model.state_dim) if newest else None
