"""From a dataset to a policy: codec, tokens of every picture, Stage I. Each part that is finished is kept in `out`.

run.json   log.jsonl   codec/{codec.safetensors, quality.json}   latents/KEY.safetensors   step-NNNNNN/
tensorboard/   imagined/step-NNNNNN.webp   best/, where tasks were given to judge by
data.json              which episodes are learned from
mapping.json           how the numbers of a recorded set became ours, where it was one
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

from aim import config
from aim.config import Run, TrainConfig
from aim.data import latents, loader, transforms
from aim.data import source as sources
from aim.data.source import Data, Ref, Source
from aim.data.transforms import Transform
from aim.model import canvas
from aim.model.codec import PictureCodec
from aim.train import checkpoint, fleet, lessons, memory, pretrained, stage1
from aim.train import codec as codec_training
from aim.train.beside import Options
from aim.train.checkpoint import load_module
from aim.train.codec import Quality
from aim.train.log import Log, opened
from aim.train.stage1 import Outcome
from aim.util import console
from aim.util.interrupts import defer_signals
from sim.types import UserError

INSTANTS = 2400  # that the codec learns from
JUDGED = 200  # that it is judged by
HELD_OUT = 20  # one episode of so many is for judging
CODEC = "codec.safetensors"
FREE = ("steps", "minutes", "precision", "checkpointing")  # what may change when a training goes on


@dataclass(frozen=True)
class Trained:
    """What was made, and how many seconds each part took in this sitting."""

    outcome: Outcome
    quality: Quality
    seconds: dict[str, float]


def train(
    run: Run, data: Data, out: Path, resume: bool, device: torch.device, until: int | None = None,
    options: Options | None = None, lender: Path | None = None,
) -> Trained:  # fmt: skip
    """Do what is left of the run in `out` and return what came of it; `UserError` where `out` holds another run.

    With a `lender`, the folder of another run, its codec is used. In a fleet the first process makes
    the codec and the tokens, and the others read what it kept.
    """
    options = options or Options()
    fleet.part(run.train.batch_size)
    source = sources.of(data)
    check(run, source)
    if run.model.geometry:  # data without depth is refused before anything is made of it
        still = [(0, 0)] * len(run.codec.views)
        source.points(source.episodes[0], run.codec.views, canvas.grids(run.codec), still)
    moves, every = loader.motions(source), loader.windows(source)
    fleet.led(lambda: _begin(run, source, out, resume, lender), lambda: None)
    log = fleet.led(lambda: opened(out, options.project, dataclasses.asdict(run)), Log)
    clock, keep = Clock(), functools.partial(_codec, run, source, out / "codec", device, log)
    try:
        with memory.named(lambda: checkpoint.remains(out), "a smaller preset", "--device cpu"):
            codec, quality = fleet.led(keep, keep)
            clock.lap("codec")
            code = functools.partial(latents.cached, out / "latents", codec, source, run.data)
            tokens = fleet.led(code, code)
        if run.model.geometry:
            tokens = latents.with_points(tokens, source, run.codec)
        seconds = clock.lap("latents")
        log.write("latents", {"instants": tokens.rgb.shape[1], "seconds": seconds})
        transform = _transform(run, out) or loader.fit_transform(run, moves, every, source)
        words = loader.read_words(moves.instructions, run.weights)
        batches = loader.Loader(run, tokens, moves, every, words, transform)
        # torchrun passes on signals that its processes have received already
        with defer_signals(ignore_repeats=fleet.size() > 1) as stops:
            outcome = stage1.train(run, batches, codec, out, log, stops, device, until, options)
            stopped = bool(stops)
    finally:
        log.close()
    if stopped:
        raise KeyboardInterrupt(f"kept step {outcome.steps} in {outcome.checkpoint}; --resume goes on")
    clock.lap("stage1")
    return Trained(outcome, quality, clock.laps)


class Clock:
    """Seconds that each part took."""

    def __init__(self) -> None:
        """Start."""
        self.laps: dict[str, float] = {}
        self.last = time.monotonic()

    def lap(self, part: str) -> float:
        """Write down and return the seconds since the last lap."""
        now = time.monotonic()
        self.laps[part], self.last = now - self.last, now
        return self.laps[part]


def check(run: Run, data: Data, what: str = "the run") -> None:
    """Raise `UserError` where the dataset is not of the robot, views and channels of a run, called `what`."""
    source = sources.of(data)
    if source.robot != run.robot:
        raise UserError(f"{source.path} is of robot {source.robot!r}, {what} is for {run.robot!r}")
    views, there = [view.name for view in run.codec.views], ", ".join(source.cameras)
    lacking = [name for name in views if name not in source.cameras]
    if lacking:
        raise UserError(f"{source.path} has no camera {', '.join(lacking)}; it has {there}, {what} {', '.join(views)}")
    channels = len(source.relative)
    if {channels} != {run.model.action_dim, run.model.state_dim}:
        raise UserError(f"{source.path} has {channels} joints and grippers, {what} is for {run.model.action_dim}")
    if not source.episodes:
        raise UserError(f"{source.path} has no episodes")


def claim(run: Run, source: Source, out: Path, resume: bool) -> None:
    """Make `out` the folder of this run, or go on with it; `UserError`, with nothing changed, if it is another's."""
    if (out / config_name()).exists():
        check(config.load(out), source, f"the run in {out}")
        other = differences(config.load(out), run) or lessons.differences(source, out)
        if other:
            raise UserError(f"{out} holds another run: {'; '.join(other)}; choose another folder")
        if checkpoint.steps(out) and not resume:
            there = checkpoint.steps(out)[-1].name
            raise UserError(f"{out} holds {there} of this run; --resume goes on, or choose another folder")
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} is not empty and holds no run; choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    lessons.save(source, out)
    config.save(run, out)


def config_name() -> str:
    """Return the name of the file that a run is kept in."""
    return "run.json"


def differences(there: Run, asked: Run) -> list[str]:
    """Return what differs between two runs, leaving out what may change when a training goes on."""
    a, b = _plain(there), _plain(asked)
    other = [f"{key} is {a[key]!r}, not {b[key]!r}" for key in a if a[key] != b[key]]
    return other[:1] if there.preset != asked.preset or len(other) < 2 else [other[0], f"{len(other) - 1} more"]


def _plain(run: Run) -> dict[str, object]:
    found: dict[str, object] = {"preset": run.preset, "robot": run.robot}
    for part in ("codec", "model", "data", "train", "codec_train"):
        value = vars(run)[part]
        free = FREE if isinstance(value, TrainConfig) else ()
        found |= {f"{part}.{f.name}": vars(value)[f.name] for f in dataclasses.fields(value) if f.name not in free}
    return found


def _begin(run: Run, source: Source, out: Path, resume: bool, lender: Path | None) -> None:
    """Claim `out`, and lay the codec and the tokens of the run in `lender` into it."""
    if lender is None:
        return claim(run, source, out, resume)
    if not (lender / "codec" / CODEC).is_file():
        raise UserError(f"there is no codec in {lender}; give the folder of a run, or leave --codec out")
    if config.load(lender).codec != run.codec:
        raise UserError(f"the codec in {lender} is of another shape than preset {run.preset!r} wants")
    claim(run, source, out, resume)
    for part in ("codec", "latents"):
        if (lender / part).exists() and not (out / part).exists():
            shutil.copytree(lender / part, out / part, copy_function=_laid)


def _laid(there: str, here: str) -> None:
    """Lay a file into another folder, without a copy where the disk can: both are only ever replaced as a whole."""
    try:
        os.link(there, here)
    except OSError:
        shutil.copy2(there, here)


def _codec(run: Run, source: Source, folder: Path, device: torch.device, log: Log) -> tuple[PictureCodec, Quality]:
    """Return the codec kept in `folder`, or train it and keep it there."""
    path, report = folder / CODEC, folder / "quality.json"
    if path.is_file():
        codec = pretrained.codec(run, half=device.type == "cuda").to(device).eval()
        load_module(path, codec)
        pretrained.known(codec, run.weights)
        return codec, _told(report)
    learn, judge = split(source)
    seed = run.codec_train.seed
    if run.weights:
        codec = pretrained.codec(run, half=device.type == "cuda").to(device).eval()
    else:
        frames = latents.some_pictures(source, learn, run.codec, INSTANTS, seed)
        codec = codec_training.train(run, frames, device, log)
    quality = codec_training.quality(codec, latents.some_pictures(source, judge, run.codec, JUDGED, seed + 1))
    log.write("codec", dataclasses.asdict(quality))
    for words in codec_training.warnings(quality):
        console.print_note(f"the codec is poor: {words}; train it longer, or give it more latent channels")
    folder.mkdir(exist_ok=True)
    report.write_text(json.dumps(dataclasses.asdict(quality), indent=1) + "\n")
    part = path.with_suffix(".part")
    save_file({name: value.contiguous() for name, value in codec.state_dict().items()}, part)
    os.replace(part, path)
    return codec, quality


def _told(report: Path) -> Quality:
    """Return how good the codec is, as written beside it; `UserError` where that is damaged."""
    try:
        return Quality(**json.loads(report.read_text()))
    except (OSError, TypeError, ValueError) as error:
        raise UserError(f"{report} is damaged; remove {report.parent}, and the codec is made anew") from error


def split(source: Source) -> tuple[list[Ref], list[Ref]]:
    """Return the episodes that the codec learns from and those it is judged by; a small dataset serves for both."""
    refs = list(source.episodes)
    if len(refs) < HELD_OUT:
        return refs, refs
    judged = refs[HELD_OUT - 1 :: HELD_OUT]
    return [ref for ref in refs if ref not in judged], judged


def _transform(run: Run, out: Path) -> Transform | None:
    """Return the transform that the training in `out` began with."""
    kept = checkpoint.newest_of(out)
    return transforms.read(kept, run.robot, run.model.action_dim) if kept else None
