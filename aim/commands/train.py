"""`aim train`: codec, then Stage I, on a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro


def train(
    preset: Annotated[str, tyro.conf.Positional],
    *,
    data: Path,
    out: Path,
    resume: bool = False,
    steps: int | None = None,
    minutes: float | None = None,
    codec_minutes: float | None = None,
    seed: int = 0,
    device: str = "auto",
) -> dict[str, object]:
    """Train a model; with --resume the same command goes on where it stopped.

    Args:
        preset: name of a preset, as tiny or nano
        data: folder of a dataset
        out: folder of the run
        resume: go on with the run in that folder
        steps: steps of Stage I; the preset's if left out
        minutes: end Stage I after so many minutes, whatever its steps; 0 for no limit; the preset's if left out
        codec_minutes: the same for the codec
        seed: decides first weights, order of samples and noise
        device: cpu, cuda, or auto
    """
    from dataclasses import replace

    import torch

    from aim import presets
    from aim.data.store import open_dataset
    from aim.train import pipeline
    from sim import robots
    from sim.types import UserError

    make = presets.preset(preset)
    if device not in ("auto", "cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise UserError(f"no device {device!r}; there are auto, cpu{', cuda' if torch.cuda.is_available() else ''}")
    place = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    dataset = open_dataset(data)
    size = len(robots.load(dataset.recipe.robot).action_names)
    run = make(dataset.recipe.robot, dataset.recipe.cameras, size, size)
    stage = {name: value for name, value in (("steps", steps), ("minutes", minutes)) if value is not None}
    codec = {} if codec_minutes is None else {"minutes": codec_minutes}
    run = replace(
        run, train=replace(run.train, seed=seed, **stage), codec_train=replace(run.codec_train, seed=seed, **codec)
    )
    made = pipeline.train(run, dataset, out, resume, place)
    outcome, quality = made.outcome, made.quality
    peaks = f"peaks off by {quality.peak_error_px:.2f} pixels"
    print(f"codec: {quality.psnr_rgb:.1f} dB pictures, {quality.psnr_map:.1f} dB maps, {peaks}")
    print(f"{outcome.checkpoint}: step {outcome.steps}, {outcome.samples_per_second:.1f} samples/s")
    return {
        "steps": outcome.steps,
        "loss": {name: outcome.loss[name] for name in ("rgb", "map", "action")} if outcome.loss else {},
        "seconds": sum(made.seconds.values()),
        "seconds_of": made.seconds,
        "samples_per_second": outcome.samples_per_second,
        "checkpoint": str(outcome.checkpoint),
        "finished": outcome.finished,
        "codec": {"psnr_rgb": quality.psnr_rgb, "psnr_map": quality.psnr_map, "peak_error_px": quality.peak_error_px},
    }
