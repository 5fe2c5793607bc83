"""From a dataset to a policy: codec, tokens of every picture, Stage I. Each part that is finished is kept in `out`.

    run.json   log.jsonl   codec/{codec.safetensors, quality.json}   latents/KEY.safetensors   step-NNNNNN/
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

from aim import config
from aim.config import Run, TrainConfig
from aim.data import latents, loader, transforms
from aim.data.store import Dataset
from aim.data.transforms import Transform
from aim.model.codec import Codec
from aim.stops import heard
from aim.train import checkpoint, stage1
from aim.train import codec as codec_training
from aim.train.checkpoint import load_module
from aim.train.codec import Quality
from aim.train.log import Log
from aim.train.stage1 import Outcome
from sim import robots
from sim.types import UserError

INSTANTS = 2400  # that the codec learns from
JUDGED = 200  # that it is judged by
HELD_OUT = 20  # one episode of so many is for judging
FREE = ("steps", "minutes", "precision")  # what may change when a training goes on


@dataclass(frozen=True)
class Trained:
    """What was made, and how many seconds each part took in this sitting."""

    outcome: Outcome
    quality: Quality
    seconds: dict[str, float]


def train(
    run: Run, dataset: Dataset, out: Path, resume: bool, device: torch.device, until: int | None = None
) -> Trained:
    """Do what is left of the run in `out` and return what came of it; `UserError` where `out` holds another run."""
    check(run, dataset)
    moves = loader.motions(dataset)
    claim(run, out, resume)
    log, clock = Log(out / "log.jsonl"), Clock()
    try:
        codec, quality = _codec(run, dataset, out / "codec", device, log)
        clock.lap("codec")
        tokens = latents.cached(out / "latents", codec, dataset)
        seconds = clock.lap("latents")
        log.write("latents", {"instants": len(tokens.rgb), "seconds": seconds})
        every = loader.windows(dataset)
        transform = _transform(out) or loader.fit_transform(run, moves, every, relative_joints(run.robot))
        words = loader.read_words(moves.instructions)
        batches = loader.Loader(run, tokens, moves, every, words, transform)
        with heard() as stops:
            outcome = stage1.train(run, batches, codec, out, log, stops, device, until)
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


def relative_joints(robot: str) -> tuple[bool, ...]:
    """Return which channels of a robot's actions are joints, and so relative; the others are grippers."""
    return tuple(not name.endswith("/gripper") for name in robots.load(robot).action_names)


def check(run: Run, dataset: Dataset) -> None:
    """Raise `UserError` where the dataset is not of the run's robot and views."""
    recipe = dataset.recipe
    if recipe.robot != run.robot:
        raise UserError(f"{dataset.path} is of robot {recipe.robot!r}, the run is for {run.robot!r}")
    lacking = [view.name for view in run.codec.views if view.name not in recipe.cameras]
    if lacking:
        raise UserError(f"{dataset.path} has no camera {', '.join(lacking)}; it has {', '.join(recipe.cameras)}")
    if not dataset.episodes:
        raise UserError(f"{dataset.path} has no episodes")


def claim(run: Run, out: Path, resume: bool) -> None:
    """Make `out` the folder of this run, or go on with it; `UserError`, with nothing changed, if it is another's."""
    if (out / config_name()).exists():
        other = differences(config.load(out), run)
        if other:
            raise UserError(f"{out} holds another run: {'; '.join(other)}; choose another folder")
        if checkpoint.steps(out) and not resume:
            there = checkpoint.steps(out)[-1].name
            raise UserError(f"{out} holds {there} of this run; --resume goes on, or choose another folder")
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} is not empty and holds no run; choose another folder")
    out.mkdir(parents=True, exist_ok=True)
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


def _codec(run: Run, dataset: Dataset, folder: Path, device: torch.device, log: Log) -> tuple[Codec, Quality]:
    """Return the codec kept in `folder`, or train it and keep it there."""
    path, report = folder / "codec.safetensors", folder / "quality.json"
    if path.is_file():
        codec = Codec(run.codec).to(device).eval()
        load_module(path, codec)
        return codec, Quality(**json.loads(report.read_text()))
    learn, judge = split(dataset)
    seed = run.codec_train.seed
    frames = latents.some_pictures(dataset, learn, run.codec, INSTANTS, seed)
    codec = codec_training.train(run, frames, device, log)
    quality = codec_training.quality(codec, latents.some_pictures(dataset, judge, run.codec, JUDGED, seed + 1))
    log.write("codec", dataclasses.asdict(quality))
    folder.mkdir(exist_ok=True)
    report.write_text(json.dumps(dataclasses.asdict(quality), indent=1) + "\n")
    part = path.with_suffix(".part")
    save_file({name: value.contiguous() for name, value in codec.state_dict().items()}, part)
    os.replace(part, path)
    return codec, quality


def split(dataset: Dataset) -> tuple[list, list]:
    """Return the episodes that the codec learns from and those it is judged by; a small dataset serves for both."""
    refs = list(dataset.episodes)
    if len(refs) < HELD_OUT:
        return refs, refs
    judged = refs[HELD_OUT - 1 :: HELD_OUT]
    return [ref for ref in refs if ref not in judged], judged


def _transform(out: Path) -> Transform | None:
    """Return the transform that the training in `out` began with."""
    kept = checkpoint.steps(out)
    return transforms.from_json((kept[-1] / "transform.json").read_text()) if kept else None
