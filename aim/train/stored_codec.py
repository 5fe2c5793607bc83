"""The codec of a run, in its folder: loaded if it is there, else trained, judged and stored."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import torch
from safetensors.torch import save_file

from aim.config import Run
from aim.data.source import Ref, Source
from aim.data.view_pictures import sample_view_pictures
from aim.model.image_codec import PictureCodec
from aim.policy import pretrained
from aim.policy.checkpoint import CODEC_FILE, find_newest, load_module
from aim.train import checkpoint, codec_quality, codec_state
from aim.train import codec as codec_training
from aim.train.codec_quality import CodecQuality
from aim.train.log import Log
from aim.util import atomic_file, console
from aim.util.decode import decode_json
from sim.types import UserError

NUM_CODEC_INSTANTS = 2400  # that the codec learns from
NUM_QUALITY_INSTANTS = 200  # that it is judged by
HELD_OUT_PERIOD = 20  # one episode of so many is for judging
QUALITY_FILE = "quality.json"
CODEC_CURE = "--resume with more --codec-minutes trains it further; a new run may have more --codec.latent-channels"


def load_or_train_codec(
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
    if not codec_quality.list_warnings(quality):
        state_file.unlink(missing_ok=True)
    return codec, quality


def _judge_codec(run: Run, source: Source, codec: PictureCodec, folder: Path, log: Log) -> CodecQuality:
    """Quality of a codec on held-out episodes, kept in its folder; a note says what is poor and what cures it."""
    refs, seed = split_episodes(source)[1], run.codec_train.seed + 1
    quality = codec_quality.measure_quality(
        codec, sample_view_pictures(source, refs, run.codec, NUM_QUALITY_INSTANTS, seed)
    )
    log.write("codec", dataclasses.asdict(quality))
    # replaced, not written over: another run may share the file
    atomic_file.write_text(folder / QUALITY_FILE, json.dumps(dataclasses.asdict(quality), indent=1) + "\n")
    warnings = codec_quality.list_warnings(quality)
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
    held_out = range(HELD_OUT_PERIOD - 1, len(refs), HELD_OUT_PERIOD)
    return [ref for place, ref in enumerate(refs) if place not in held_out], [refs[place] for place in held_out]
